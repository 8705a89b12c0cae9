# The agent's container of the attacks: a shell, and what somebody who wants out would bring along.
ARG NODE_IMAGE
FROM ${NODE_IMAGE}
RUN apt-get update \
  && apt-get install --yes --no-install-recommends \
    ca-certificates curl git iproute2 iputils-ping netcat-openbsd openssh-client openssl procps python3-minimal libpython3-stdlib \
  && rm -rf /var/lib/apt/lists/*
