-- Fetches pixels of mails, each of them once: their paths are the lines of a file.
--
-- Arguments after `--`: the file, the line before the first, and the mean pause of a connection between two requests in
-- milliseconds (0: none). Pauses are drawn anew for each request, so that the connections do not keep step.

local paths
local place = 0

function init(arguments)
    paths = assert(io.open(arguments[1]))
    for _ = 1, tonumber(arguments[2]) do paths:read() end
    local pause = tonumber(arguments[3])
    -- The client's network is not recorded, nor how many fetches it makes.
    wrk.headers["DNT"] = "1"
    wrk.headers["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
    math.randomseed(1)
    -- wrk asks for delays only where there is such a function.
    if pause > 0 then
        delay = function() return math.random(0, 2 * pause) end
    end
end

function request()
    local path = assert(paths:read(), "too few paths")
    return wrk.format(nil, path)
end

function done(summary, latency)
    local failed = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.status +
        summary.errors.timeout
    io.write(string.format("result %d %d %d %d %d %d\n", summary.requests, summary.duration, failed,
        latency:percentile(50), latency:percentile(99), latency.mean))
end
