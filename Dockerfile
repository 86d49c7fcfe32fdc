# syntax=docker/dockerfile:1
# One image for every process; the command selects it: worker --queue billing|stripe|sources | webhook | api.
FROM python:3.11-slim-bookworm AS build
WORKDIR /src
RUN python -m venv /opt/perdure
COPY constraints.txt pyproject.toml README.md LICENSE settings.py settings_console.py settings_faults.py settings_limits.py settings_sources.py settings_statements.py worker.py ./
COPY billing/ billing/
COPY contracts/ contracts/
COPY reconciliation/ reconciliation/
COPY temporal/ temporal/
COPY workflows/ workflows/
COPY activities/ activities/
COPY storage/ storage/
COPY sources/ sources/
COPY starter/ starter/
COPY stripe_emulator/ stripe_emulator/
COPY devstack/ devstack/
# Nothing is installed into the image later, so it needs no pip.
RUN /opt/perdure/bin/python -m pip install --no-cache-dir --disable-pip-version-check -c constraints.txt . \
    && /opt/perdure/bin/python -m pip uninstall --yes --quiet setuptools pip

FROM python:3.11-slim-bookworm
COPY --from=build /opt/perdure /opt/perdure
COPY deploy/healthcheck.py /opt/perdure/healthcheck.py
# The user is a number, so that a cluster can verify that it is not root. It owns only the local report folder.
RUN groupadd --gid 10001 perdure \
    && useradd --uid 10001 --gid 10001 --no-log-init --home-dir /var/lib/perdure --shell /usr/sbin/nologin perdure \
    && install -d -o 10001 -g 10001 -m 0750 /var/lib/perdure /var/lib/perdure/reports
ENV PATH=/opt/perdure/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    PERDURE_ENVIRONMENT_ONLY=1 \
    RATE_CARD=/etc/perdure/rates.toml \
    SOURCES=/etc/perdure/sources.toml \
    API_HOST=0.0.0.0 \
    WEBHOOK_HOST=0.0.0.0
WORKDIR /var/lib/perdure
USER 10001:10001
ENTRYPOINT ["perdure"]
CMD ["--help"]
