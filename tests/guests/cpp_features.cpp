// What C++ asks of its surroundings: exceptions, streams, containers, thread_local, static objects in order.
#include <algorithm>
#include <any>
#include <chrono>
#include <cstring>
#include <functional>
#include <iomanip>
#include <iostream>
#include <map>
#include <memory>
#include <numeric>
#include <random>
#include <regex>
#include <sstream>
#include <stdexcept>
#include <string>
#include <typeinfo>
#include <unordered_map>
#include <variant>
#include <vector>

namespace {

int failures = 0;

void check(const std::string &name, bool ok)
{
    std::cout << (ok ? "ok " : "FAIL ") << name << '\n';
    failures += !ok;
}

struct Loud {
    std::string name;
    explicit Loud(std::string n) : name(std::move(n)) { std::cout << "made " << name << '\n'; }
    ~Loud() { std::cout << "gone " << name << std::endl; }
};

// Objects of the program are destroyed in the reverse order of their making, those of the thread before them.
Loud first_static("first static");
Loud second_static("second static");
thread_local Loud of_thread("of the thread");

struct Base {
    virtual ~Base() = default;
    virtual int value() const { return 1; }
};
struct Left : virtual Base {
    int value() const override { return 2; }
};
struct Right : virtual Base {};
struct Both : Left, Right {};

struct Unwound {
    int &count;
    ~Unwound() { ++count; }
};

[[gnu::noinline]] int deep(int level, int &unwound)
{
    Unwound u{unwound};
    if (level == 0)
        throw std::out_of_range("bottom");
    return deep(level - 1, unwound) + 1;
}

void exceptions()
{
    int unwound = 0;
    try {
        deep(50, unwound);
        check("thrown", false);
    } catch (const std::logic_error &e) {
        check("caught by its base", std::strcmp(e.what(), "bottom") == 0);
    }
    check("every frame unwound", unwound == 51);
    try {
        try {
            throw 42;
        } catch (int) {
            throw;
        }
    } catch (int v) {
        check("thrown again", v == 42);
    }
    try {
        try {
            throw std::runtime_error("inner");
        } catch (...) {
            std::throw_with_nested(std::invalid_argument("outer"));
        }
    } catch (const std::exception &e) {
        std::string inner;
        try {
            std::rethrow_if_nested(e);
        } catch (const std::exception &n) {
            inner = n.what();
        }
        check("nested", inner == "inner" && std::string(e.what()) == "outer");
    }
    std::exception_ptr kept;
    try {
        (void)std::vector<int>(3).at(7);
    } catch (...) {
        kept = std::current_exception();
    }
    try {
        std::rethrow_exception(kept);
    } catch (const std::out_of_range &) {
        check("from the library", true);
    }
    int total = 0;
    for (int i = 0; i < 500; ++i) {
        try {
            if (i % 3 == 0)
                throw i;
            throw std::string("text");
        } catch (int v) {
            total += v;
        } catch (const std::string &s) {
            total += static_cast<int>(s.size());
        }
    }
    check("five hundred of them", total == 41583 + 4 * 333);
    try {
        // More than there can be.
        volatile std::size_t huge = ~std::size_t{0} / 4;
        ::operator delete(::operator new(huge));
        check("bad_alloc", false);
    } catch (const std::bad_alloc &) {
        check("bad_alloc", true);
    }
}

void types()
{
    Both both;
    Base *base = &both;
    check("virtual call", base->value() == 2);
    check("cast down", dynamic_cast<Right *>(base) != nullptr);
    check("cast that fails", !dynamic_cast<Both *>(std::make_unique<Base>().get()));
    check("typeid", typeid(*base) == typeid(Both));
    std::any any = std::string("any");
    check("any", std::any_cast<std::string>(any) == "any");
    std::variant<int, std::string> variant = 7;
    check("variant", std::visit([](auto &v) { return sizeof v; }, variant) == sizeof(int));
}

void containers()
{
    std::map<std::string, int> words;
    std::istringstream text("the quick brown fox jumps over the lazy dog and the cat");
    for (std::string word; text >> word;)
        ++words[word];
    for (const auto &[word, count] : words)
        std::cout << word << '=' << count << ' ';
    std::cout << '\n';
    std::unordered_map<int, std::vector<int>> groups;
    for (int i = 0; i < 10000; ++i)
        groups[i % 97].push_back(i);
    long sum = 0;
    for (const auto &[key, values] : groups)
        sum += key * std::accumulate(values.begin(), values.end(), 0L);
    std::cout << "groups " << groups.size() << ", sum " << sum << '\n';
    std::mt19937 random(12345);
    std::vector<unsigned> v(5000);
    std::generate(v.begin(), v.end(), std::ref(random));
    std::sort(v.begin(), v.end(), std::greater<>());
    check("sorted", std::is_sorted(v.rbegin(), v.rend()));
    std::cout << "largest " << v.front() << '\n';
    auto shared = std::make_shared<Loud>("shared");
    std::weak_ptr<Loud> weak = shared;
    check("use count", shared.use_count() == 1);
    shared.reset();
    check("expired", weak.expired());
    std::regex re("(\\w+)@(\\w+)\\.org");
    std::smatch m;
    std::string address = "write to someone@example.org today";
    check("regex", std::regex_search(address, m, re) && m[1] == "someone" && m[2] == "example");
    std::function<int(int)> factorial = [&](int n) { return n < 2 ? 1 : n * factorial(n - 1); };
    check("function", factorial(10) == 3628800);
}

void streams()
{
    std::cout << std::hex << std::showbase << 255 << ' ' << std::dec << std::setw(8) << std::setfill('*') << 42 << ' '
              << std::fixed << std::setprecision(3) << 3.14159 << ' ' << std::scientific << 12345.678 << ' '
              << std::boolalpha << true << std::defaultfloat << std::noshowbase << '\n';
    std::stringstream s;
    s << 1.5 << ' ' << "two " << 3;
    double d;
    std::string w;
    int i;
    s >> d >> w >> i;
    check("read back", d == 1.5 && w == "two" && i == 3);
    s.clear();
    s.exceptions(std::ios::failbit);
    try {
        s >> i;
        check("failbit throws", false);
    } catch (const std::ios_base::failure &) {
        check("failbit throws", true);
    }
    using namespace std::chrono;
    auto start = steady_clock::now();
    check("steady clock", steady_clock::now() >= start);
    check("system clock", system_clock::now().time_since_epoch() > hours(24 * 365 * 40));
}

int &once()
{
    static Loud loud("function static");
    static int count = 0;
    return ++count;
}

} // namespace

int main()
{
    check("thread local is made on use", of_thread.name == "of the thread");
    exceptions();
    types();
    containers();
    streams();
    once();
    check("function static once", once() == 2);
    std::cerr << "to standard error\n";
    std::cout << (failures ? "failed" : "all ok") << std::endl;
    return failures != 0;
}
