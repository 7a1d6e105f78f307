// A web server in C++17: a pool of threads, a store under a lock, exceptions for
// what goes wrong.
//
//   server PORT FOLDER [THREADS [ADDRESS]]
//
// It serves the files of FOLDER, keeps texts under /store/NAME, computes under
// /primes, /words and /sort, and ends by SIGTERM or SIGINT.

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <csignal>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <iomanip>
#include <iostream>
#include <memory>
#include <mutex>
#include <numeric>
#include <optional>
#include <random>
#include <regex>
#include <shared_mutex>
#include <sstream>
#include <system_error>
#include <thread>
#include <variant>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/signalfd.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http.hpp"

namespace {

using http::Error;
using http::Request;
using http::Response;

// Threads that take jobs from a queue until it is closed and empty.
class Pool {
public:
    explicit Pool(unsigned threads) {
        for (unsigned i = 0; i < threads; i++)
            workers.emplace_back([this] { work(); });
    }

    ~Pool() {
        {
            std::lock_guard<std::mutex> lock(mutex);
            closed = true;
        }
        changed.notify_all();
        for (auto &worker : workers)
            worker.join();
    }

    void add(std::function<void()> job) {
        {
            std::lock_guard<std::mutex> lock(mutex);
            jobs.push_back(std::move(job));
        }
        changed.notify_one();
    }

private:
    void work() {
        for (;;) {
            std::function<void()> job;
            {
                std::unique_lock<std::mutex> lock(mutex);
                changed.wait(lock, [this] { return closed || !jobs.empty(); });
                if (jobs.empty())
                    return;
                job = std::move(jobs.front());
                jobs.pop_front();
            }
            job();
        }
    }

    std::mutex mutex;
    std::condition_variable changed;
    std::deque<std::function<void()>> jobs;
    bool closed = false;
    std::vector<std::thread> workers;
};

// What went wrong; the library's own words differ from one to another.
std::string describe(const std::exception &error) {
    if (auto system = dynamic_cast<const std::system_error *>(&error))
        return system->code() == std::errc::no_such_file_or_directory ? "no such file" : system->code().message();
    if (dynamic_cast<const std::out_of_range *>(&error))
        return "out of range";
    if (dynamic_cast<const std::bad_variant_access *>(&error))
        return "another alternative";
    if (dynamic_cast<const std::bad_optional_access *>(&error))
        return "no value";
    return error.what();
}

class Server {
public:
    Server(std::filesystem::path folder) : folder(std::move(folder)) {}

    // Answers one client until it goes away.
    void serve(int descriptor) {
        http::Connection connection(descriptor);
        Request request;
        for (bool keep = true; keep && !closing;) {
            Response response;
            try {
                if (!connection.read(request))
                    return;
                keep = request.headers["connection"] != "close";
                response = answer(request);
            } catch (const Error &error) {
                response = {error.status, "text/plain", std::string(error.what()) + "\n"};
                keep = false;
            } catch (const std::exception &error) {
                response = {500, "text/plain", "unexpected: " + describe(error) + "\n"};
            }
            answers++;
            try {
                connection.write(response, keep);
            } catch (const std::system_error &error) {
                std::cerr << "a client is gone: " << error.code().message() << std::endl;
                return;
            }
        }
    }

    void close() { closing = true; }
    unsigned long count() const { return answers; }

private:
    Response answer(const Request &request) {
        static const std::regex STORE("/store/([A-Za-z0-9_-]+)");
        std::smatch parts;
        if (std::regex_match(request.path, parts, STORE))
            return store(request, parts[1]);
        if (request.path == "/primes")
            return primes(request);
        if (request.path == "/words")
            return words(request);
        if (request.path == "/sort")
            return sort(request);
        if (request.path == "/fail")
            return fail(request);
        if (request.method != "GET")
            throw Error(405, "only GET");
        return file(request.path);
    }

    Response store(const Request &request, const std::string &name) {
        if (request.method == "GET") {
            std::shared_lock<std::shared_mutex> lock(store_mutex);
            auto found = texts.find(name);
            if (found == texts.end())
                throw Error(404, "nothing is kept under " + name);
            return {200, "text/plain", found->second};
        }
        std::unique_lock<std::shared_mutex> lock(store_mutex);
        if (request.method == "PUT")
            return {texts.insert_or_assign(name, request.body).second ? 201 : 200, "text/plain", ""};
        if (request.method == "POST") {
            texts[name] += request.body;
            return {200, "text/plain", std::to_string(texts[name].size()) + "\n"};
        }
        if (request.method == "DELETE")
            return {texts.erase(name) ? 204 : 404, "text/plain", ""};
        throw Error(405, "not for the store");
    }

    // Counted in four parts at the same time.
    static Response primes(const Request &request) {
        const long limit = request.number("below", 1000);
        if (limit < 0 || limit > 10'000'000)
            throw Error(400, "below is out of range");
        std::vector<std::future<long>> parts;
        for (long part = 0; part < 4; part++)
            parts.push_back(std::async(std::launch::async, [=] {
                long count = 0;
                for (long n = 2 + part; n < limit; n += 4) {
                    bool prime = true;
                    for (long d = 2; prime && d * d <= n; d++)
                        prime = n % d != 0;
                    count += prime;
                }
                return count;
            }));
        long sum = std::accumulate(parts.begin(), parts.end(), 0L, [](long total, auto &part) { return total + part.get(); });
        return {200, "text/plain", std::to_string(sum) + "\n"};
    }

    // How often each word of the body stands there, the most frequent first.
    static Response words(const Request &request) {
        static const std::regex WORD("[A-Za-z]+");
        std::map<std::string, unsigned> counts;
        for (std::sregex_iterator word(request.body.begin(), request.body.end(), WORD), end; word != end; ++word)
            counts[word->str()]++;
        std::vector<std::pair<std::string, unsigned>> sorted(counts.begin(), counts.end());
        std::stable_sort(sorted.begin(), sorted.end(), [](auto &a, auto &b) { return a.second > b.second; });
        std::ostringstream text;
        for (auto &[word, count] : sorted)
            text << std::left << std::setw(12) << word << std::right << std::setw(4) << count << '\n';
        return {200, "text/plain", text.str()};
    }

    static Response sort(const Request &request) {
        const long count = request.number("count", 1000);
        if (count < 1 || count > 1'000'000)
            throw Error(400, "count is out of range");
        std::mt19937 random(static_cast<std::uint32_t>(request.number("seed", 1)));
        std::vector<std::uint32_t> numbers(static_cast<size_t>(count));
        std::generate(numbers.begin(), numbers.end(), std::ref(random));
        std::sort(numbers.begin(), numbers.end());
        std::ostringstream text;
        text << numbers.front() << ' ' << numbers[numbers.size() / 2] << ' ' << numbers.back() << ' ' << std::fixed
             << std::setprecision(3) << std::accumulate(numbers.begin(), numbers.end(), 0.0) / static_cast<double>(count)
             << '\n';
        return {200, "text/plain", text.str()};
    }

    // Exceptions of the library, each through some frames with destructors.
    static Response fail(const Request &request) {
        auto kept = std::make_unique<std::string>(1000, 'x');
        const std::function<Response(long)> deep = [&](long depth) -> Response {
            std::string local(static_cast<size_t>(depth), 'y');
            if (depth > 0)
                return deep(depth - 1);
            const std::string how = request.query.count("how") ? request.query.at("how") : "";
            if (how == "range")
                return {200, "", std::string(1, kept->at(5000))};
            if (how == "variant")
                return {200, "", std::get<std::string>(std::variant<std::string, int>(7))};
            if (how == "optional")
                return {200, "", std::optional<std::string>().value()};
            if (how == "file")
                std::filesystem::file_size("/no/such/file");
            throw std::runtime_error("thrown as asked");
        };
        return deep(20);
    }

    Response file(const std::string &path) const {
        const auto wanted = (folder / path.substr(1)).lexically_normal();
        if (wanted.lexically_relative(folder).string().rfind("..", 0) == 0)
            throw Error(404, "outside");
        if (std::filesystem::is_directory(wanted)) {
            std::vector<std::string> names;
            for (auto &entry : std::filesystem::directory_iterator(wanted))
                names.push_back(entry.path().filename().string() + (entry.is_directory() ? "/" : ""));
            std::sort(names.begin(), names.end());
            std::string text;
            for (auto &name : names)
                text += name + "\n";
            return {200, "text/plain", text};
        }
        std::ifstream stream(wanted, std::ios::binary);
        if (!stream)
            throw Error(404, "no such file");
        std::ostringstream content;
        content << stream.rdbuf();
        return {200, wanted.extension() == ".html" ? "text/html" : "text/plain", content.str()};
    }

    const std::filesystem::path folder;
    std::shared_mutex store_mutex;
    std::map<std::string, std::string> texts;
    std::atomic<unsigned long> answers{0};
    std::atomic<bool> closing{false};
};

int listen_on(const char *at, int port) {
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0)
        throw std::system_error(errno, std::generic_category(), "socket");
    int yes = 1;
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    if (inet_pton(AF_INET, at, &address.sin_addr) != 1)
        throw std::invalid_argument(std::string("not an address: ") + at);
    if (bind(descriptor, reinterpret_cast<sockaddr *>(&address), sizeof address) < 0 || listen(descriptor, 64) < 0)
        throw std::system_error(errno, std::generic_category(), "the port");
    return descriptor;
}

// Clients are waited for a moment each, so that the end is noticed.
void run(const char *address, int port, const std::filesystem::path &folder, unsigned threads) {
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    pthread_sigmask(SIG_BLOCK, &ends, nullptr);
    const int signals = signalfd(-1, &ends, SFD_CLOEXEC);
    if (signals < 0)
        throw std::system_error(errno, std::generic_category(), "signalfd");
    const int listening = listen_on(address, port);
    Server server(std::filesystem::absolute(folder).lexically_normal());
    {
        Pool pool(threads);
        std::cout << "serving with " << threads << " threads" << std::endl;
        for (;;) {
            pollfd waiting[] = {{listening, POLLIN, 0}, {signals, POLLIN, 0}};
            if (poll(waiting, 2, -1) < 0 && errno != EINTR)
                throw std::system_error(errno, std::generic_category(), "poll");
            if (waiting[1].revents)
                break;
            if (!waiting[0].revents)
                continue;
            const int client = accept4(listening, nullptr, nullptr, SOCK_CLOEXEC);
            if (client >= 0)
                pool.add([&server, client] { server.serve(client); });
        }
        signalfd_siginfo cause{};
        if (read(signals, &cause, sizeof cause) == sizeof cause)
            std::cout << "ended by signal " << cause.ssi_signo << std::endl;
        server.close();
    }
    std::cout << "answered " << server.count() << " requests" << std::endl;
    close(listening);
    close(signals);
}

} // namespace

int main(int argc, char **argv) {
    try {
        if (argc < 3 || argc > 5)
            throw std::invalid_argument("usage: server PORT FOLDER [THREADS [ADDRESS]]");
        const char *address = argc > 4 ? argv[4] : "127.0.0.1";
        run(address, std::stoi(argv[1]), argv[2], argc > 3 ? static_cast<unsigned>(std::stoul(argv[3])) : 8);
    } catch (const std::exception &error) {
        std::cerr << "server: " << error.what() << std::endl;
        return 1;
    }
}
