//! The scripts that the Redis server runs.

use redis::Script;

/// Gives the lease of a key to a request: fingerprint, token, time in milliseconds, awaited token.
///
/// Returns the record if it forbids that: status, fingerprint, token, body.
const ACQUIRE: &str = "
local kept = redis.call('HMGET', KEYS[1], 's', 'f', 't', 'b')
local is_own = kept[1] == 'r' and kept[3] == ARGV[2]
local is_over = not kept[1] or kept[1] == 'f' and kept[3] ~= ARGV[4]
if not is_own and not is_over then
  return kept
end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 's', 'r', 'f', ARGV[1], 't', ARGV[2], 'b', '')
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return false
";

/// Ends the lease of a request: fingerprint, token, new status or nothing, body, time in milliseconds.
///
/// Returns 0 if the request does not have the lease. A success is kept also if no request has it.
const END: &str = "
local owner = redis.call('HGET', KEYS[1], 't')
local is_own = owner == ARGV[2]
if not is_own and (owner or ARGV[3] ~= 's') then
  return 0
end
redis.call('DEL', KEYS[1])
if ARGV[3] ~= '' then
  redis.call('HSET', KEYS[1], 's', ARGV[3], 'f', ARGV[1], 't', ARGV[2], 'b', ARGV[4])
  redis.call('PEXPIRE', KEYS[1], ARGV[5])
end
return 1
";

/// Adds entries to the revocation list: the time, and for each key `not_before`, `until` and its time in milliseconds.
///
/// Of two entries with equal keys the later times count. The times have equal length, so their texts are compared.
const REVOKE: &str = "
for number, key in ipairs(KEYS) do
  local not_before, till, time = ARGV[number * 3 - 1], ARGV[number * 3], tonumber(ARGV[number * 3 + 1])
  local kept = redis.call('GET', key)
  if kept then
    local kept_not_before, kept_till = string.match(kept, '^(%d+):(%d+)$')
    if kept_till > ARGV[1] then
      if kept_not_before > not_before then
        not_before = kept_not_before
      end
      if kept_till > till then
        till = kept_till
        time = math.max(time, redis.call('PTTL', key))
      end
    end
  end
  redis.call('SET', key, not_before .. ':' .. till, 'PX', time)
end
";

/// Counts a reset: the time and the window in milliseconds, the maximum, and the name of this reset.
///
/// Returns the time to wait in milliseconds if there were too many.
const COUNT: &str = "
local now, window = tonumber(ARGV[1]), tonumber(ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - window)
if redis.call('ZSCORE', KEYS[1], ARGV[4]) then
  return false
end
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[3]) then
  local oldest = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
  return tonumber(oldest[2]) + window - now
end
redis.call('ZADD', KEYS[1], now, ARGV[4])
redis.call('PEXPIRE', KEYS[1], window)
return false
";

/// The scripts.
pub(super) struct Scripts {
    pub(super) acquire: Script,
    pub(super) end: Script,
    pub(super) revoke: Script,
    pub(super) count: Script,
}

impl Scripts {
    /// Computes the digests by which the server finds the scripts.
    pub(super) fn new() -> Self {
        let [acquire, end, revoke, count] = [ACQUIRE, END, REVOKE, COUNT].map(Script::new);
        Self { acquire, end, revoke, count }
    }
}
