-- name: tune
-- A few large joins: each plan is made for its parameters, and every sort and hash spills instead of growing. No
-- parallel workers: their shared hash tables outgrow the /dev/shm of containers, and billing runs at the same time.
SELECT set_config('plan_cache_mode', 'force_custom_plan', true),
       set_config('jit', 'off', true),
       set_config('work_mem', '64MB', true),
       set_config('max_parallel_workers_per_gather', '0', true),
       set_config('timezone', 'UTC', true);

-- name: discrepancies
SELECT count(*) FROM audit_finding WHERE audit_id = :audit_id AND check_name = :check_name;
