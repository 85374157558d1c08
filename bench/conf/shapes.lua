-- How the streams of each dialect look, event by event as their providers write them; `@` is where a chunk's own text
-- goes. All have chunks of one size, so that what they cost can be compared.
local M = {}

local function event(name, data)
    return "event: " .. name .. "\ndata: " .. data .. "\n\n"
end

local CHAT = 'data: {"id":"chatcmpl-Bn4vC2mQpZ8yTqT1rXo5u9eHd0aKs","object":"chat.completion.chunk","created":1754049600,'
    .. '"model":"gpt-4o-mini-2024-07-18","service_tier":"default","system_fingerprint":"fp_560af6e559","choices":['

local function chat(delta, finish, usage)
    return CHAT .. '{"index":0,"delta":' .. delta .. ',"logprobs":null,"finish_reason":' .. finish .. '}]' .. usage .. '}\n\n'
end

-- Usage, as at OpenAI, only where `stream_options.include_usage` asks for it.
local function chat_shape(asked)
    local null_usage = asked and ',"usage":null' or ""
    return {
        before = "",
        chunk = chat('{"content":"@ "}', "null", null_usage),
        after = function(chunks)
            local usage = asked and string.format(
                CHAT .. '],"usage":{"prompt_tokens":47,"completion_tokens":%d,"total_tokens":%d}}\n\n', chunks, 47 + chunks) or ""
            return chat("{}", '"stop"', null_usage) .. usage .. "data: [DONE]\n\n"
        end,
    }
end

local CHUNK_BYTES = #chat_shape(true).chunk

local function padded(text)
    return (text:gsub("@ ", "@ " .. string.rep("o", CHUNK_BYTES - #text)))
end

local messages = {
    before = event("message_start", '{"type":"message_start","message":{"model":"claude-sonnet-4-20250514",'
            .. '"id":"msg_01ALwQ87pTS7hH1PjSdC9wJD","type":"message","role":"assistant","content":[],"stop_reason":null,'
            .. '"stop_sequence":null,"usage":{"input_tokens":47,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,'
            .. '"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},"output_tokens":1,'
            .. '"service_tier":"standard"}}}')
        .. event("content_block_start", '{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}')
        .. event("ping", '{"type": "ping"}'),
    chunk = padded(event("content_block_delta",
        '{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"@ "}}')),
    after = function(chunks)
        return event("content_block_stop", '{"type":"content_block_stop","index":0}')
            .. event("message_delta", '{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},'
                .. string.format('"usage":{"input_tokens":47,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,'
                    .. '"output_tokens":%d}}', chunks))
            .. event("message_stop", '{"type":"message_stop"}')
    end,
}

local function response(kind, status, output, usage)
    return event(kind, '{"type":"' .. kind .. '","sequence_number":0,"response":{"id":"resp_0d4c07a2b1",'
        .. '"object":"response","created_at":1754049600,"status":"' .. status .. '","error":null,'
        .. '"incomplete_details":null,"instructions":null,"model":"gpt-4o-mini-2024-07-18","output":[' .. output .. '],'
        .. '"parallel_tool_calls":true,"service_tier":"default","store":false,"temperature":1.0,"tool_choice":"auto",'
        .. '"tools":[],"usage":' .. usage .. ',"metadata":{}}}')
end

local MESSAGE = '{"id":"msg_0d4c07a2b2","type":"message","status":"%s","content":[%s],"role":"assistant"}'
local PART = '{"type":"output_text","annotations":[],"logprobs":[],"text":""}'

local responses = {
    before = response("response.created", "in_progress", "", "null")
        .. response("response.in_progress", "in_progress", "", "null")
        .. event("response.output_item.added", '{"type":"response.output_item.added","output_index":0,"item":'
            .. MESSAGE:format("in_progress", "") .. '}')
        .. event("response.content_part.added", '{"type":"response.content_part.added","item_id":"msg_0d4c07a2b2",'
            .. '"output_index":0,"content_index":0,"part":' .. PART .. '}'),
    chunk = padded(event("response.output_text.delta", '{"type":"response.output_text.delta","sequence_number":4,'
        .. '"item_id":"msg_0d4c07a2b2","output_index":0,"content_index":0,"delta":"@ ","logprobs":[]}')),
    after = function(chunks)
        local done = MESSAGE:format("completed", PART)
        return event("response.output_item.done", '{"type":"response.output_item.done","output_index":0,"item":' .. done .. '}')
            .. response("response.completed", "completed", done, string.format(
                '{"input_tokens":47,"input_tokens_details":{"cached_tokens":0},"output_tokens":%d,'
                .. '"output_tokens_details":{"reasoning_tokens":0},"total_tokens":%d}', chunks, 47 + chunks))
    end,
}

local function gemini(text, finish, candidates)
    return 'data: {"candidates": [{"content": {"parts": [{"text": "' .. text .. '"}],"role": "model"}' .. finish
        .. ',"index": 0}],"usageMetadata": {"promptTokenCount": 47,"candidatesTokenCount": ' .. candidates
        .. ',"totalTokenCount": ' .. 47 + candidates .. '},"modelVersion": "gemini-2.5-flash",'
        .. '"responseId": "oRIhaZOoA8L-jrEPzfDTmQc"}\r\n\r\n'
end

local generate = {
    before = "",
    chunk = padded(gemini("@ ", "", 1)),
    after = function(chunks) return gemini("", ',"finishReason": "STOP"', chunks) end,
}

-- The shape of the answer to a request of this path and body.
function M.of(path, request)
    if path:find("/messages", 1, true) then return messages end
    if path:find("/responses", 1, true) then return responses end
    if path:find("Generate", 1, true) then return generate end
    return chat_shape(request:find('"include_usage"%s*:%s*true') ~= nil)
end

return M
