#!/bin/sh
# Creates the namespace when it is missing; its retention is how long closed workflows stay visible in the UI.
set -eu
temporal operator namespace describe --namespace "$TEMPORAL_NAMESPACE" >/dev/null 2>&1 ||
  temporal operator namespace create --namespace "$TEMPORAL_NAMESPACE" --retention "$RETENTION"
