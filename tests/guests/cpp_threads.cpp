// Threads as C++ has them: std::thread, async, mutexes and condition variables, atomics, call_once, thread_local.
// km-test: timeout=60
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <future>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <numeric>
#include <shared_mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;

int failures = 0;

void check(const std::string &name, bool ok)
{
    std::cout << (ok ? "ok " : "FAIL ") << name << '\n';
    failures += !ok;
}

void run(int count, const std::function<void(int)> &work)
{
    std::vector<std::thread> threads;
    for (int i = 0; i < count; ++i)
        threads.emplace_back(work, i);
    for (auto &thread : threads)
        thread.join();
}

struct Counted {
    static std::atomic<int> made, gone;
    int uses = 0;
    Counted() { ++made; }
    ~Counted() { ++gone; }
};
std::atomic<int> Counted::made, Counted::gone;
thread_local Counted of_thread;

void plain()
{
    std::array<int, 8> squares{};
    run(8, [&](int i) { squares[i] = i * i; });
    check("eight threads", std::accumulate(squares.begin(), squares.end(), 0) == 140);
    std::thread::id own = std::this_thread::get_id(), other;
    std::thread([&] { other = std::this_thread::get_id(); }).join();
    check("another id", own != other && other != std::thread::id());
    check("hardware concurrency", std::thread::hardware_concurrency() > 0);
    run(4, [](int) { ++of_thread.uses; });
    check("thread_local in each thread", Counted::made == 4 && Counted::gone == 4);
    for (int i = 0; i < 50; ++i)
        std::thread([&] { ++squares[0]; }).join();
    check("one after the other", squares[0] == 50);
    std::atomic<bool> detached{false};
    std::thread([&] { detached = true; }).detach();
    while (!detached)
        std::this_thread::yield();
    check("detached", true);
    std::string caught;
    std::thread([&] {
        try {
            throw std::runtime_error("in a thread");
        } catch (const std::exception &e) {
            caught = e.what();
        }
    }).join();
    check("exception inside", caught == "in a thread");
}

void locks()
{
    std::mutex mutex;
    long total = 0;
    run(4, [&](int) {
        for (int i = 0; i < 5000; ++i) {
            std::lock_guard lock(mutex);
            ++total;
        }
    });
    check("mutex", total == 20000);
    std::atomic<long> sum{0};
    run(4, [&](int) {
        for (int i = 0; i < 50000; ++i)
            sum.fetch_add(1, std::memory_order_relaxed);
    });
    check("atomic", sum == 200000);
    std::recursive_mutex again;
    run(3, [&](int) {
        std::scoped_lock outer(again, mutex);
        std::lock_guard inner(again);
        ++total;
    });
    check("two at once, and again", total == 20003);
    std::shared_mutex shared;
    std::map<int, int> table;
    std::atomic<int> wrong{0};
    run(4, [&](int me) {
        for (int i = 0; i < 300; ++i) {
            if (i % 10 == me) {
                std::unique_lock lock(shared);
                table[i] = i;
            } else {
                std::shared_lock lock(shared);
                for (auto [key, value] : table)
                    wrong += key != value;
            }
        }
    });
    check("readers and writers", wrong == 0 && table.size() == 120);
    std::timed_mutex timed;
    timed.lock();
    bool got = true;
    std::thread([&] { got = timed.try_lock_for(20ms); }).join();
    check("not in time", !got);
    std::once_flag once;
    std::atomic<int> calls{0};
    run(6, [&](int) { std::call_once(once, [&] { ++calls; }); });
    check("call_once", calls == 1);
    run(6, [&](int) {
        static int first = calls++;
        (void)first;
    });
    check("function static", calls == 2);
}

void waits()
{
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<int> queue;
    long sum = 0;
    std::thread consumer([&] {
        for (int i = 0; i < 300; ++i) {
            std::unique_lock lock(mutex);
            changed.wait(lock, [&] { return !queue.empty(); });
            sum += queue.front();
            queue.pop_front();
        }
    });
    for (int i = 0; i < 300; ++i) {
        { std::lock_guard lock(mutex); queue.push_back(i); }
        changed.notify_one();
    }
    consumer.join();
    check("condition variable", sum == 44850);
    int turn = 0;
    std::string order;
    run(3, [&](int me) {
        for (int i = 0; i < 20; ++i) {
            std::unique_lock lock(mutex);
            changed.wait(lock, [&] { return turn == me; });
            order += static_cast<char>('a' + me);
            turn = (me + 1) % 3;
            changed.notify_all();
        }
    });
    check("taking turns", order.size() == 60 && order.substr(57) == "abc");
    std::unique_lock lock(mutex);
    check("wait_for ends", changed.wait_for(lock, 20ms) == std::cv_status::timeout);
    lock.unlock();
}

long fibonacci(int n)
{
    if (n < 12)
        return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
    auto left = std::async(std::launch::async, fibonacci, n - 1);
    long right = fibonacci(n - 2);
    return left.get() + right;
}

void futures()
{
    check("async, many levels", fibonacci(16) == 987);
    auto lazy = std::async(std::launch::deferred, [] { return std::this_thread::get_id(); });
    check("deferred", lazy.get() == std::this_thread::get_id());
    auto failing = std::async(std::launch::async, []() -> int { throw std::out_of_range("in async"); });
    try {
        (void)failing.get();
        check("exception through a future", false);
    } catch (const std::out_of_range &e) {
        check("exception through a future", std::string(e.what()) == "in async");
    }
    std::promise<int> promise;
    auto future = promise.get_future().share();
    std::atomic<int> seen{0};
    std::thread waiting([&] { run(3, [&](int) { seen += future.get(); }); });
    check("not ready yet", future.wait_for(10ms) == std::future_status::timeout);
    promise.set_value(14);
    waiting.join();
    check("shared future", seen == 42);
    std::packaged_task<int(int)> task([](int n) { return 2 * n; });
    auto result = task.get_future();
    std::thread(std::move(task), 21).join();
    check("packaged task", result.get() == 42);
    try {
        std::promise<int> dropped;
        result = dropped.get_future();
        dropped = std::promise<int>();
        (void)result.get();
        check("broken promise", false);
    } catch (const std::future_error &e) {
        check("broken promise", e.code() == std::future_errc::broken_promise);
    }
}

void pointers()
{
    auto shared = std::make_shared<std::vector<int>>(100, 1);
    std::weak_ptr<std::vector<int>> weak = shared;
    std::atomic<long> sum{0};
    run(4, [&sum, copy = shared](int) {
        for (int i = 0; i < 1000; ++i) {
            auto mine = copy;
            sum += mine->at(i % 100);
        }
    });
    check("shared pointer", sum == 4000 && shared.use_count() == 1);
    shared.reset();
    check("expired", weak.expired());
    // Each thread gives back what another one took.
    std::vector<std::vector<std::unique_ptr<std::string>>> given(4);
    run(4, [&](int me) {
        for (int i = 0; i < 500; ++i)
            given[me].push_back(std::make_unique<std::string>(i % 200, 'x'));
    });
    std::atomic<std::size_t> length{0};
    run(4, [&](int me) {
        for (auto &text : given[(me + 1) % 4])
            length += text->size();
        given[(me + 1) % 4].clear();
    });
    check("memory from another thread", length == 4 * (2 * 19900 + 4950));
}

} // namespace

int main()
{
    plain();
    locks();
    waits();
    futures();
    pointers();
    std::cout << (failures ? "failed" : "all ok") << std::endl;
    return failures != 0;
}
