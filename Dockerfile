# The image of every manualqa process: api, worker, model server, init.
#
#     docker build -t manualqa:0.1.0 .
#     docker build --build-arg EXTRAS=ocr,scale .                                   without the local model server
#     docker build --build-arg EXTRAS=local,ocr,scale,finetune --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cu130 .
#
# The base is pinned by its version. Pin its digest, too, where you build: it could not be looked up for this file.
ARG BASE=python:3.11.15-slim-bookworm

FROM ${BASE} AS wheels
ARG EXTRAS=local,ocr,scale
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
COPY constraints.txt ./
# torch alone comes from an index of its own: the one of all other packages has it with 3 GB of CUDA.
RUN pip wheel --no-deps --wheel-dir /wheels --index-url "${TORCH_INDEX}" "$(grep '^torch==' constraints.txt)"
COPY pyproject.toml README.md LICENSE ./
COPY app ./app
COPY eval ./eval
RUN pip wheel --wheel-dir /wheels --find-links /wheels --constraint constraints.txt ".[${EXTRAS}]" \
    && python -m venv --without-pip /opt/manualqa \
    && pip --python /opt/manualqa install --no-index --find-links /wheels --constraint constraints.txt "manualqa[${EXTRAS}]"

FROM ${BASE}
LABEL org.opencontainers.image.title="manualqa" org.opencontainers.image.licenses="Apache-2.0"
COPY --from=wheels /opt/manualqa /opt/manualqa
COPY deploy/container/healthcheck /usr/local/bin/healthcheck
# A new volume takes owner and mode of the folder that it is mounted on. Nothing is installed: there is no compiler here.
RUN mkdir -p /data/adapters /models /secrets \
    && chown -R 10001:10001 /data /models \
    && chmod 700 /data /data/adapters \
    && pip uninstall --yes --quiet --root-user-action=ignore pip setuptools wheel
ENV PATH=/opt/manualqa/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp \
    MQA_DATA_DIR=/data \
    MQA_MODELS_DIR=/models
WORKDIR /tmp
USER 10001:10001
VOLUME ["/data", "/models"]
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=8s --retries=3 --start-period=180s CMD ["healthcheck", "http://127.0.0.1:8080/readyz"]
ENTRYPOINT ["manualqa"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8080"]
