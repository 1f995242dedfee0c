"""What operators install beside the service: objectives, alert rules and a dashboard, partly generated."""
