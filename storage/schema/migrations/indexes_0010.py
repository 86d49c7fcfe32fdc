"""The indexes of revision 0010. `storage/rekeying/` builds them before the migration, while everybody works."""

# 128 bits: no two instances will ever share a key by accident, and if they did, PostgreSQL would refuse a claim rather
# than allow a second one. Not `md5`, which a server in FIPS mode refuses.
INSTANCE_KEY = """
CREATE OR REPLACE FUNCTION instance_key(instance_id text) RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CAST(lpad(to_hex(hashtextextended(instance_id, 0)), 16, '0')
                || lpad(to_hex(hashtextextended(instance_id, 1)), 16, '0') AS uuid)
$$
"""

KEPT = {
    "workspace_instance_account": (
        "workspace_instance (attribution_id, (COALESCE(LEAST(stopping_time, stopped_time), 'infinity'::timestamptz)))"
    ),
    "segment_account": "segment (attribution_id, (COALESCE(upper(during), 'infinity'::timestamptz)))",
}
"""What each index has, by its name."""

UNTIL_REKEYED = {"claim_instance_key": "claim (instance_key(instance_id))"}
"""The same, of a table of claims that is to be copied: by this, its claims are found until the copy has its name."""
