-- Alerts for wrk, each another one: buy and sell in turn on every book, one contract each.
-- wrk … -s alerts.lua URL -- FIRST BOOKS
-- FIRST is the number of the first alert; going on where the last run ended, every book's
-- position goes on too. One thread only: the numbers are the thread's own.

local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

function init(args)
  number = tonumber(args[1])
  books = tonumber(args[2])
  answered = ""
  counts = {}
  wrk.headers["Content-Type"] = "application/json"
end

function request()
  local book = number % books
  local side = math.floor(number / books) % 2 == 0 and "buy" or "sell"
  local price = 100 + number % 97
  -- A time of its own for each, in milliseconds from 2026-01-01 on.
  local time = string.format("%.0f", 1767225600000 + number)
  local body = string.format(
    '{"strategy":"Strategy %d","ticker":"BINANCE:BTCUSDT","action":"%s","contracts":"1",'
      .. '"price":"%d.25","time":"%s","order_id":"%s","interval":"5",'
      .. '"comment":"crossover of two averages"}',
    book, side, price, time, side)
  number = number + 1
  return wrk.format("POST", nil, nil, body)
end

function response(status)
  counts[status] = (counts[status] or 0) + 1
  answered = ""
  for code, count in pairs(counts) do
    answered = answered .. string.format('"%d":%d,', code, count)
  end
end

function done(summary, latency, requests)
  io.write(string.format(
    'RESULT {"answered":{%s},"next":%d,"seconds":%.6f,"p50":%.3f,"p95":%.3f,"p99":%.3f,'
      .. '"max":%.3f,"connect":%d,"read":%d,"write":%d,"timeout":%d}\n',
    string.sub(threads[1]:get("answered"), 1, -2), threads[1]:get("number"),
    summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(95) / 1e3,
    latency:percentile(99) / 1e3, latency.max / 1e3, summary.errors.connect,
    summary.errors.read, summary.errors.write, summary.errors.timeout))
end
