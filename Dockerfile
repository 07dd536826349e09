# One image for every process: web | worker | beat | migrate (bin/entrypoint). It runs as nobody in particular.
FROM python:3.13-slim-bookworm AS build
WORKDIR /app
COPY requirements.txt requirements-uv.txt ./
RUN pip install --no-cache-dir --root-user-action=ignore --require-hashes -r requirements-uv.txt \
    && python -m venv --without-pip .venv \
    && uv pip sync --no-cache --compile-bytecode --require-hashes --python .venv/bin/python requirements.txt
COPY . .
ENV PATH=/app/.venv/bin:$PATH READINESS_MANIFEST_STATIC=1
# Collecting static files needs settings, and settings need secrets: these are used here and nowhere else.
RUN SECRET_KEY=only-while-the-image-is-built \
    READINESS_ENCRYPTION_KEYS=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= \
    python manage.py collectstatic --noinput

FROM python:3.13-slim-bookworm
RUN useradd --system --uid 10001 --no-create-home --home-dir /data readiness \
    && install -d -m 0700 -o 10001 -g 10001 /data
COPY --from=build /app /app
WORKDIR /app
ENV PATH=/app/.venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    READINESS_MANIFEST_STATIC=1 \
    READINESS_DATA_DIR=/data
USER 10001:10001
VOLUME /data
EXPOSE 8000
ENTRYPOINT ["/app/bin/entrypoint"]
CMD ["web"]
