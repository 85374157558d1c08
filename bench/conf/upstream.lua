-- What nginx cannot say with `return`: answers that differ from call to call, and paced streams.
local base = require "resty.core.base"
local ffi = require "ffi"
local shapes = require "shapes"

ffi.cdef [[
    typedef struct { long seconds; long nanoseconds; } bench_timespec;
    int clock_gettime(int clock, bench_timespec *time);
    int setsockopt(int descriptor, int level, int name, const int *value, unsigned int length);
]]

local CLOCK_MONOTONIC = 1
local IPPROTO_TCP, TCP_NODELAY = 6, 1
local CHUNK_INTERVAL_S = 0.05
local SHORTEST_SLEEP_S = 0.001
local time = ffi.new("bench_timespec")
local on = ffi.new("int[1]", 1)

local head, tail
local calls = 0
local M = {}

-- µs of the clock that `time.monotonic_ns` reads in the clients on the same machine; nginx's own is to the millisecond.
local function now_us()
    ffi.C.clock_gettime(CLOCK_MONOTONIC, time)
    return tonumber(time.seconds) * 1000000 + math.floor(tonumber(time.nanoseconds) / 1000)
end

-- As providers do. nginx itself does so only from a connection's second request on: chunks that it writes less than
-- 40 ms apart would wait in the kernel for an acknowledgement, and look as if a gateway had been late.
local function send_at_once()
    local request = ffi.cast("char **", base.get_request())
    local connection = request[1]                                  -- ngx_http_request_t: signature, connection
    local descriptor = ffi.cast("int *", connection + 3 * ffi.sizeof("void *"))[0]  -- data, read, write, fd
    assert(ffi.C.setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, on, ffi.sizeof(on)) == 0, "no TCP_NODELAY")
end

function M.load(path)
    local file = assert(io.open(path))
    local completion = file:read("*a"):gsub("%s+$", "")
    file:close()
    head, tail = completion:match('^(.*)"prompt_tokens":%d+,"completion_tokens":%d+,"total_tokens":%d+(.*)$')
    assert(head, "no usage in " .. path)
end

-- A whole answer. Two cycles of different prime length: a row lost and another counted twice cannot cancel out unseen.
function M.varied()
    ngx.req.read_body()
    calls = calls + 1
    local prompt, completion = 20 + calls % 997, 5 + calls % 89
    local body = string.format('%s"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d%s',
        head, prompt, completion, prompt + completion, tail)
    ngx.header["Content-Type"] = "application/json"
    ngx.header["Content-Length"] = #body
    ngx.print(body)
end

-- A chunk is given in pieces: LuaJIT keeps every string it makes in a table, by a hash of a few of its bytes, in which
-- long ones that differ only in the middle all meet; nginx then spends half of its time comparing them.
local function pieces(chunk)
    local at = chunk:find("@", 1, true)
    return { chunk:sub(1, at - 1), 0, " ", "", chunk:sub(at + 1) }
end

-- As many chunks as there may be tokens, 20 a second on a schedule that does not drift. Each says its number and when
-- it was written.
function M.stream()
    ngx.req.read_body()
    local request = ngx.req.get_body_data() or ""
    local chunks = tonumber(request:match('"max[%a_]*okens"%s*:%s*(%d+)')) or 20
    local shape = shapes.of(ngx.var.uri, request)
    local chunk = pieces(shape.chunk)
    local start_us = now_us()

    send_at_once()
    ngx.header["Content-Type"] = "text/event-stream; charset=utf-8"
    ngx.header["Cache-Control"] = "no-cache"
    ngx.print(shape.before)
    for number = 0, chunks - 1 do
        local wait_s = (start_us - now_us()) / 1000000 + number * CHUNK_INTERVAL_S
        if wait_s >= SHORTEST_SLEEP_S then ngx.sleep(wait_s) end
        chunk[2], chunk[4] = number, string.format("%.0f", now_us())
        ngx.print(chunk)
        local ok = ngx.flush(true)
        if not ok then return end
    end
    ngx.print(shape.after(chunks))
end

return M
