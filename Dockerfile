# The image of one hasync instance: an unprivileged user, a read-only file system will do, no compiler inside.
# The codec is compiled in the first stage, for the very Python that the second one has.
#
#   docker build -t hasync .
#   docker build -t hasync --build-arg PYTHON_IMAGE=python:3.12-slim@sha256:… .    # the same bytes each time
#   docker run --rm hasync --help
ARG PYTHON_IMAGE=python:3.12-slim

FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN apt-get update \
    && apt-get install --yes --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*
RUN python -m venv /opt/tools && python -m venv /opt/hasync
WORKDIR /src
# What is locked changes seldom: its layer is built anew only when a lock file changes. Nothing else is downloaded.
COPY requirements/build.txt requirements/runtime.txt requirements/
RUN /opt/tools/bin/pip install --require-hashes --only-binary :all: -r requirements/build.txt \
    && /opt/hasync/bin/pip install --require-hashes --only-binary :all: -r requirements/runtime.txt
COPY pyproject.toml setup.py MANIFEST.in README.md LICENSE ./
COPY hasync hasync
# A slow image that looks like a fast one is worse than none: it is an error here when the codec was not compiled.
# A compiled codec never imports Cython, and nobody installs anything into a running container.
RUN /opt/tools/bin/pip wheel --no-index --no-deps --no-build-isolation --wheel-dir dist . \
    && /opt/hasync/bin/pip install --no-index --no-deps dist/*.whl \
    && /opt/hasync/bin/pip check \
    && /opt/hasync/bin/pip uninstall --yes cython pip setuptools \
    && cd / && /opt/hasync/bin/python -c "from hasync.binlog.codec import COMPILED; assert COMPILED" \
    && /opt/hasync/bin/hasync --version

FROM ${PYTHON_IMAGE}
LABEL org.opencontainers.image.title="hasync" \
      org.opencontainers.image.description="Keeps Redis in step with MySQL or MariaDB through the loss of any machine." \
      org.opencontainers.image.licenses="Apache-2.0"
RUN groupadd --gid 10001 hasync \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir / --shell /usr/sbin/nologin hasync
COPY --from=build /opt/hasync /opt/hasync
ENV PATH=/opt/hasync/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HASYNC_HTTP__HOST=0.0.0.0
# A number, not a name: Kubernetes can only then see that it is not root.
USER 10001:10001
EXPOSE 9187
# SIGTERM hands over to another instance; give it more time than HASYNC_SHUTDOWN_TIMEOUT_S (20 s).
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; \
r.urlopen('http://127.0.0.1:' + os.environ.get('HASYNC_HTTP__PORT', '9187') + '/livez', timeout=3)"]
ENTRYPOINT ["hasync"]
CMD ["run"]
