# The image of the service. The page and the wheel are built in stages of their own, so that the image contains neither
# compilers nor sources.

FROM node:22-bookworm-slim AS page
WORKDIR /src/web
COPY web/package.json web/package-lock.json ./
RUN npm ci --silent
COPY schema.graphql /src/schema.graphql
COPY web/ ./
RUN npm run --silent build

FROM python:3.12-slim-bookworm AS build
WORKDIR /src
RUN python -m venv /opt/leaderboard
COPY locks/image.txt locks/image.txt
# With the clients of OpenTelemetry and Sentry, and without the private servers of development (`app/embedded`, which
# .dockerignore leaves out too).
RUN /opt/leaderboard/bin/pip install --quiet --no-cache-dir --require-hashes -r locks/image.txt
COPY pyproject.toml README.md LICENSE ./
COPY migrations/ migrations/
COPY app/ app/
COPY --from=page /src/web/dist/ app/static/
RUN /opt/leaderboard/bin/pip install --quiet --no-cache-dir --no-deps --no-build-isolation . \
    && /opt/leaderboard/bin/python -m compileall -q /opt/leaderboard/lib

# `docker build --target backup --tag leaderboard-backup .`: the service with PostgreSQL's own programs, for
# `leaderboard backup` and `restore`.
FROM python:3.12-slim-bookworm AS backup
RUN apt-get update -qq \
    && apt-get install -qq -y --no-install-recommends ca-certificates postgresql-common \
    && /usr/share/postgresql-common/pgdg/apt.postgresql.org.sh -y \
    && apt-get install -qq -y --no-install-recommends postgresql-client-18 \
    && rm -rf /var/lib/apt/lists/*
# The id is that of `postgres` in the Debian image of PostgreSQL, who owns the files of the archive.
RUN useradd --system --uid 999 --no-create-home leaderboard
COPY --from=build /opt/leaderboard /opt/leaderboard
ENV PATH=/opt/leaderboard/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    ENVIRONMENT=production
USER leaderboard
WORKDIR /tmp
ENTRYPOINT ["leaderboard"]
CMD ["backup", "/backups"]

FROM python:3.12-slim-bookworm
RUN useradd --system --uid 10001 --no-create-home leaderboard
COPY --from=build /opt/leaderboard /opt/leaderboard
ENV PATH=/opt/leaderboard/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    ENVIRONMENT=production \
    HOST=0.0.0.0 \
    PORT=8000
USER leaderboard
WORKDIR /tmp
EXPOSE 8000
# SIGTERM shuts the service down gracefully within 10 seconds.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=4s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f'http://127.0.0.1:{os.environ[\"PORT\"]}/readyz', timeout=3)"]
ENTRYPOINT ["leaderboard"]
CMD ["serve"]
