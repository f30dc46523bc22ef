# syntax=docker/dockerfile:1

# A registry that you trust, and a digest behind the tag (3.13-slim@sha256:…), pin the base for good:
# docker build --build-arg BASE=registry.example/python:3.13-slim@sha256:… .
ARG BASE=python:3.13-slim
# What `--target detectors` takes node-problem-detector from: put the registry in front that has it, the one of the
# Kubernetes project or a copy of your own; a digest pins it likewise.
ARG NPD=node-problem-detector/node-problem-detector:v1.36.0

FROM ${BASE} AS build
WORKDIR /src
RUN python -m venv /opt/avance
# The dependencies change less often than the code: a layer of their own, and nothing in it that the lock does not name.
COPY requirements/operator.txt requirements/operator.txt
RUN /opt/avance/bin/pip install --no-cache-dir --no-compile --only-binary :all: --require-hashes -r requirements/operator.txt
COPY pyproject.toml README.md LICENSE ./
COPY operator operator
# Built by the setuptools that the lock has brought, not by whatever is newest.
RUN /opt/avance/bin/pip install --no-cache-dir --no-compile --no-deps --no-index --no-build-isolation . \
 && /opt/avance/bin/python -m pip uninstall --yes pip

# docker build --target detectors: what runs on the nodes of a pair (docs/detectors.md). Its own stage, not part of the operator.
FROM ${NPD} AS npd

FROM ${BASE} AS detectors
LABEL org.opencontainers.image.title="avance-detectors" \
      org.opencontainers.image.description="node-problem-detector, avance's plug-ins, and the tools that they ask" \
      org.opencontainers.image.licenses="Apache-2.0"
# The tools of RAID controllers are not free to be shipped: they are mounted from the node.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends drbd-utils ipmitool libsystemd0 nvme-cli smartmontools \
 && rm -rf /var/lib/apt/lists/*
COPY --from=npd /node-problem-detector /node-problem-detector
COPY --from=npd /config /config
COPY detectors /opt/avance-detectors/detectors
RUN python -m compileall -q /opt/avance-detectors
# Root: pings and the device nodes of the hardware need it; the chart takes away what else root may do.
ENV PYTHONPATH=/opt/avance-detectors \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
ENTRYPOINT ["/node-problem-detector"]

FROM ${BASE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="avance" \
      org.opencontainers.image.description="Two ordinary servers running KubeVirt VMs that look like one server that does not fail" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# Fence agents for BMCs that do not speak Redfish are programs of the distribution, named by whoever builds the image:
# --build-arg FENCE_PACKAGES="fence-agents ipmitool". They run on the distribution's own Python, not on the operator's.
ARG FENCE_PACKAGES=""
# hadolint ignore=DL3008,SC2086
RUN if [ -n "$FENCE_PACKAGES" ]; then \
      apt-get update && apt-get install --yes --no-install-recommends $FENCE_PACKAGES && rm -rf /var/lib/apt/lists/*; \
    fi
COPY --from=build /opt/avance /opt/avance
# The root file system is read-only in the cluster, so no bytecode; logs leave at once.
ENV PATH=/opt/avance/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
# Numeric, so that the kubelet can check runAsNonRoot.
USER 65532:65532
EXPOSE 8080 9090
ENTRYPOINT ["avance"]
CMD ["operator"]
