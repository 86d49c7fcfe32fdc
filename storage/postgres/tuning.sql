-- name: tune
-- Pages differ in size, so each gets its own plan. Compiling plans would cost more than running them.
SELECT set_config('plan_cache_mode', 'force_custom_plan', true),
       set_config('jit', 'off', true),
       set_config('work_mem', '64MB', true);
