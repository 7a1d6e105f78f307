-- A bit of everything a Lua program asks of its C library and its system.

-- Integers, floats, strings.
print(1 << 62, 7 // 2, 7 % -3, 2^0.5, 1e300 * 1e10, -1 // 0.0)
print(math.maxinteger + 1 == math.mininteger, 3 | 4, ~0, "10" + 5)
print(string.format("%5.2f|%-8s|%08x|%q", math.pi, "left", 48879, "a\nb\0c"))
print(("the quick brown fox"):gsub("%w+", string.upper))
print(#string.pack("<i4 z s2", 100, "hello", "world"), utf8.char(228, 8364, 128512))
for word, n in ("a=1, b=22, c=333"):gmatch("(%w)=(%d+)") do io.write(word, n, " ") end
print()

-- Tables, sorting, closures.
local seed, list = 42, {}
for i = 1, 50000 do
  seed = (seed * 1103515245 + 12345) % 2147483648
  list[i] = seed
end
table.sort(list)
local sum = 0
for i = 2, #list do
  assert(list[i - 1] <= list[i])
  sum = (sum * 31 + list[i]) % 1000000007
end
print("sorted", #list, sum)

-- Coroutines.
local function primes(limit)
  return coroutine.wrap(function()
    local composite = {}
    for n = 2, limit do
      if not composite[n] then
        coroutine.yield(n)
        for m = n * n, limit, n do composite[m] = true end
      end
    end
  end)
end
local count, last = 0, 0
for p in primes(100000) do count, last = count + 1, p end
print("primes", count, last)

-- Errors: pcall returns by longjmp.
print(pcall(error, { code = 1 }) == false, select(2, pcall(error, "text", 0)))
local function deep(n) return n == 0 and error("bottom", 0) or deep(n - 1) + 1 end
print(pcall(deep, 10000))
print(select(2, pcall(function() local function f() return f() + 1 end return f() end)):match("stack overflow"))

-- Memory: build up, let go, collect.
collectgarbage()
local before = collectgarbage("count")
local blocks = {}
for i = 1, 200 do blocks[i] = ("x"):rep(100000 + i) end
print("grown", collectgarbage("count") - before > 19000)
blocks = nil
collectgarbage()
print("shrunk", collectgarbage("count") - before < 1000)

-- Files.
local name = "check.tmp"
local file = assert(io.open(name, "w+b"))
file:setvbuf("full", 4096)
for i = 1, 10000 do file:write(i, "\t", i * i, "\n") end
print("at", file:seek())
file:seek("set", 0)
local lines, total = 0, 0
for line in file:lines() do
  lines = lines + 1
  total = total + tonumber(line:match("\t(%d+)"))
end
file:close()
print("lines", lines, total)
assert(os.rename(name, name .. ".2"))
print(io.open(name))
print(os.remove(name .. ".2"))
print(select(3, os.remove(name .. ".2")))

-- Time and environment.
print(os.date("!%Y-%m-%d %H:%M:%S", 1234567890), os.time { year = 2020, month = 2, day = 29, hour = 12 })
print(os.clock() >= 0, os.difftime(os.time(), os.time()) == 0, os.getenv("TERM"), os.getenv("KM_NOT_SET"))
print(#arg, arg[1], arg[2])
os.exit(5, true)
