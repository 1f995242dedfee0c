-- The tables of the peers: the same idea as the service's, without categories and rules.
CREATE TABLE users (
    id uuid PRIMARY KEY,
    username text NOT NULL UNIQUE,
    score int NOT NULL
);
CREATE TABLE action_tokens (
    token_hash bytea PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users,
    points int NOT NULL,
    issued_at timestamptz NOT NULL DEFAULT now(),
    used_at timestamptz
);
CREATE INDEX ON action_tokens (user_id) WHERE used_at IS NULL;
CREATE TABLE transactions (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id uuid NOT NULL REFERENCES users,
    token_hash bytea NOT NULL,
    delta int NOT NULL,
    score int NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON transactions (user_id, created_at);
-- Of the peer with periods: what a user has in a day, a week and a month.
CREATE TABLE scores (
    user_id uuid NOT NULL REFERENCES users,
    period text NOT NULL,
    starts_on date NOT NULL,
    score int NOT NULL,
    PRIMARY KEY (user_id, period, starts_on)
);
