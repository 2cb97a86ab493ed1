# One image for every role: `up` (all in one), `serve` (web), `worker` (jobs).
FROM python:3.11-slim AS build
WORKDIR /chatcore
COPY requirements.txt .
RUN python -m venv .venv && .venv/bin/pip install --no-cache-dir --require-hashes -r requirements.txt

FROM python:3.11-slim
RUN useradd --create-home --uid 10001 chatcore && install -d -o chatcore -g chatcore /data
WORKDIR /chatcore
COPY --from=build /chatcore/.venv .venv
COPY . .
ENV STATIC_ROOT=/chatcore/staticfiles
RUN CHATCORE_DATA=/tmp/build .venv/bin/python manage.py collectstatic --noinput && rm -r /tmp/build
USER chatcore
ENV PATH=/chatcore/.venv/bin:$PATH CHATCORE_DATA=/data HOST=0.0.0.0 PYTHONUNBUFFERED=1
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s \
  CMD python -c "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/healthz', timeout=2)"
CMD ["python", "manage.py", "up"]
