-- Lines of 38 columns, so that two results fit beside each other.
local WIDTH, HEIGHT, LIMIT = 38, 17, 2000
local SHADES = "    .,:;+*oxOX%@#"

-- The share of points near (x, y) that stay within the Mandelbrot set, and the
-- mean number of steps the others need to leave it.
local function shade(x, y, dx, dy)
  local steps = 0
  for i = 0, 2 do
    for j = 0, 2 do
      local cr, ci = x + i * dx / 3, y + j * dy / 3
      local zr, zi, n = 0.0, 0.0, 0
      while n < LIMIT do
        local r2, i2 = zr * zr, zi * zi
        if r2 + i2 > 4 then break end
        zr, zi = r2 - i2 + cr, 2 * zr * zi + ci
        n = n + 1
      end
      steps = steps + math.log(1 + n)
    end
  end
  local level = steps / 9 / math.log(1 + LIMIT)
  return math.min(#SHADES, 1 + math.floor(level * #SHADES))
end

local function line(text)
  print(text .. (" "):rep(WIDTH - #text))
end

local dx, dy = 3.0 / WIDTH, 2.4 / HEIGHT
for row = 0, HEIGHT - 1 do
  local cells = {}
  for column = 0, WIDTH - 1 do
    local n = shade(-2.2 + column * dx, -1.2 + row * dy, dx, dy)
    cells[#cells + 1] = SHADES:sub(n, n)
  end
  print(table.concat(cells))
end

-- Digits of pi from whole numbers alone (the spigot of Rabinowitz and Wagon).
local function pi(count)
  local size = count * 10 // 3 + 1
  local remainders, digits, nines, held = {}, {}, 0, nil
  for i = 1, size do remainders[i] = 2 end
  for _ = 1, count + 1 do
    local carry = 0
    for i = size, 1, -1 do
      local value = 10 * remainders[i] + carry * i
      remainders[i] = value % (2 * i - 1)
      carry = value // (2 * i - 1)
    end
    remainders[1], carry = carry % 10, carry // 10
    if carry == 9 then
      nines = nines + 1
    else
      if held then digits[#digits + 1] = held + carry // 10 end
      for _ = 1, nines do digits[#digits + 1] = carry == 10 and 0 or 9 end
      held, nines = carry % 10, 0
    end
  end
  return table.concat(digits)
end

local digits = pi(1000)
line("")
line("pi, digits 1 to 30 and 961 to 990:")
line("  " .. digits:sub(1, 30))
line("  " .. digits:sub(961, 990))

-- What the program sees of its system.
local file = assert(io.open("/proc/sys/kernel/ostype"))
line("system: " .. file:read("l") .. ", time zone: " .. os.date("%Z"))
file:close()
