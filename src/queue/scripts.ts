/** Scripts that Redis runs: they bound what a reply can hold before it is sent, whatever somebody else has written under our keys. */

/**
 * Entries of the stream KEYS[1] from its beginning: at most ARGV[1] of them and about ARGV[2] bytes together. Each is its id and its text; the text
 * is missing where it is longer than ARGV[3] or the entry has not exactly one field. What is not a stream is removed.
 */
export const READ_ENTRIES = `
local kind = redis.call('TYPE', KEYS[1]).ok
if kind ~= 'stream' then
  if kind ~= 'none' then redis.call('DEL', KEYS[1]) end
  return {}
end
local found, bytes = {}, 0
for _, entry in ipairs(redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', ARGV[1])) do
  local fields = entry[2]
  if #fields ~= 2 or #fields[2] > tonumber(ARGV[3]) then
    table.insert(found, {entry[1]})
  else
    bytes = bytes + #fields[2]
    if bytes > tonumber(ARGV[2]) and #found > 0 then break end
    table.insert(found, {entry[1], fields[2]})
  end
end
return found
`;

/**
 * Members of the set KEYS[1], each with the text under ARGV[1] and its name: at most ARGV[2] bytes a text, ARGV[3] together. Members without a
 * text are removed, and so is a set that is not one.
 */
export const READ_WORKERS = `
local kind = redis.call('TYPE', KEYS[1]).ok
if kind ~= 'set' then
  if kind ~= 'none' then redis.call('DEL', KEYS[1]) end
  return {}
end
local found, bytes = {}, 0
for _, id in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  local key = ARGV[1] .. id
  if #id > 100 or redis.call('TYPE', key).ok ~= 'string' or redis.call('STRLEN', key) > tonumber(ARGV[2]) then
    redis.call('SREM', KEYS[1], id)
  else
    local text = redis.call('GET', key)
    bytes = bytes + #text
    if bytes > tonumber(ARGV[3]) then break end
    table.insert(found, {id, text})
  end
end
return found
`;

/** Fields and values of the hash KEYS[1]: at most ARGV[1] of them, at most ARGV[2] bytes each. What is not a hash is removed. */
export const READ_HASH = `
local kind = redis.call('TYPE', KEYS[1]).ok
if kind ~= 'hash' then
  if kind ~= 'none' then redis.call('DEL', KEYS[1]) end
  return {}
end
local found = {}
for i, text in ipairs(redis.call('HGETALL', KEYS[1])) do
  if #found >= 2 * tonumber(ARGV[1]) then break end
  if #text > tonumber(ARGV[2]) then text = '' end
  table.insert(found, text)
end
return found
`;
