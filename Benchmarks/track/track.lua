-- What wrk sends: one event for each of a thousand contacts in turn, with data that says nothing new about them.
--
-- Arguments after `--`: the key, the first contact, and the mean pause of a connection between two requests in
-- milliseconds (0: none). Pauses are drawn anew for each request, so that the connections do not keep step.

local contact = 0
local pause = 0

function init(arguments)
    contact = tonumber(arguments[2])
    pause = tonumber(arguments[3])
    wrk.method = "POST"
    wrk.headers["Authorization"] = "Bearer " .. arguments[1]
    wrk.headers["Content-Type"] = "application/json"
    math.randomseed(contact + 1)
    -- wrk asks for delays only where there is such a function.
    if pause > 0 then
        delay = function() return math.random(0, 2 * pause) end
    end
end

function request()
    -- A prime step spreads the contacts over their whole range.
    contact = (contact + 7919) % 1000
    return wrk.format(nil, nil, nil, '{"event":"page.viewed","email":"contact-' .. contact ..
        '@example.org","data":{"plan":"pro","total":129.5,"currency":"EUR","item":"Weatherproof lamp","firstName":"Ann"}}')
end

function done(summary, latency)
    local failed = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.status +
        summary.errors.timeout
    io.write(string.format("result %d %d %d %d %d %d\n", summary.requests, summary.duration, failed,
        latency:percentile(50), latency:percentile(99), latency.mean))
end
