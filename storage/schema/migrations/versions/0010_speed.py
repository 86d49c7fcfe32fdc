"""Claims are kept apart by a key of the instance that is fast to compare."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

# 128 bits: no two instances will ever share a key by accident, and if they did, PostgreSQL would refuse a claim rather
# than allow a second one. Not `md5`, which a server in FIPS mode refuses.
INSTANCE_KEY = """
CREATE FUNCTION instance_key(instance_id text) RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CAST(lpad(to_hex(hashtextextended(instance_id, 0)), 16, '0')
                || lpad(to_hex(hashtextextended(instance_id, 1)), 16, '0') AS uuid)
$$
"""

# Claims that exist keep their constraint until `storage/rekeying/` has brought them along: building the new one would
# keep everybody out of the table.
CLAIM_NEVER_TWICE = """
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM claim) THEN
        ALTER TABLE claim
            DROP CONSTRAINT claim_never_twice,
            ADD CONSTRAINT claim_never_twice EXCLUDE USING gist (instance_key(instance_id) WITH =, during WITH &&);
    END IF;
END
$$
"""


def upgrade() -> None:
    op.execute(INSTANCE_KEY)
    op.execute(CLAIM_NEVER_TWICE)


def downgrade() -> None:
    raise NotImplementedError("a downgrade would delete what was billed: restore a backup instead")
