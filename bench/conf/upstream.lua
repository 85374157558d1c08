-- What nginx cannot say with `return`: answers that differ from call to call, and paced streams.
local ffi = require "ffi"

ffi.cdef [[
    typedef struct { long seconds; long nanoseconds; } bench_timespec;
    int clock_gettime(int clock, bench_timespec *time);
]]

local CLOCK_MONOTONIC = 1
local CHUNK_INTERVAL_S = 0.05
local time = ffi.new("bench_timespec")

local head, tail
local calls = 0
local M = {}

-- µs of the clock that `time.monotonic_ns` reads in the clients on the same machine; nginx's own is to the millisecond.
local function now_us()
    ffi.C.clock_gettime(CLOCK_MONOTONIC, time)
    return tonumber(time.seconds) * 1000000 + math.floor(tonumber(time.nanoseconds) / 1000)
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

local function chunk(delta, finish, usage)
    return 'data: {"id":"chatcmpl-Bn4vC2mQpZ8yTqT1rXo5u9eHd0aKs","object":"chat.completion.chunk","created":1754049600,'
        .. '"model":"gpt-4o-mini-2024-07-18","service_tier":"default","system_fingerprint":"fp_560af6e559",'
        .. '"choices":[{"index":0,"delta":' .. delta .. ',"logprobs":null,"finish_reason":' .. finish .. '}]' .. usage .. '}\n\n'
end

-- `max_tokens` chunks, 20 a second on a schedule that does not drift. Each says its number and when it was written.
-- Usage, as at OpenAI, only where `stream_options.include_usage` asks for it.
function M.stream()
    ngx.req.read_body()
    local request = ngx.req.get_body_data() or ""
    local chunks = tonumber(request:match('"max_tokens"%s*:%s*(%d+)')) or 20
    local asked = request:find('"include_usage"%s*:%s*true') ~= nil
    local null_usage = asked and ',"usage":null' or ""
    local start_us = now_us()

    ngx.header["Content-Type"] = "text/event-stream; charset=utf-8"
    ngx.header["Cache-Control"] = "no-cache"
    for number = 0, chunks - 1 do
        local wait_s = (start_us - now_us()) / 1000000 + number * CHUNK_INTERVAL_S
        if wait_s > 0 then ngx.sleep(wait_s) end
        ngx.print(chunk(string.format('{"content":"%d %.0f "}', number, now_us()), "null", null_usage))
        local ok = ngx.flush(true)
        if not ok then return end
    end
    ngx.print(chunk("{}", '"stop"', null_usage))
    if asked then
        ngx.print('data: {"id":"chatcmpl-Bn4vC2mQpZ8yTqT1rXo5u9eHd0aKs","object":"chat.completion.chunk","created":1754049600,'
            .. '"model":"gpt-4o-mini-2024-07-18","service_tier":"default","system_fingerprint":"fp_560af6e559","choices":[],'
            .. string.format('"usage":{"prompt_tokens":47,"completion_tokens":%d,"total_tokens":%d}}\n\n', chunks, 47 + chunks))
    end
    ngx.print("data: [DONE]\n\n")
end

return M
