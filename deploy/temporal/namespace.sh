#!/bin/sh
# Creates the namespace if it is missing. Its retention is how long closed workflows stay visible in the UI.
set -eu
temporal operator namespace describe --namespace "$TEMPORAL_NAMESPACE" >/dev/null 2>&1 ||
  temporal operator namespace create --namespace "$TEMPORAL_NAMESPACE" --retention "$RETENTION"
