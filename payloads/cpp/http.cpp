#include "http.hpp"

#include <cerrno>
#include <sstream>
#include <system_error>

#include <sys/socket.h>
#include <unistd.h>

namespace http {
namespace {

constexpr size_t MAX_LINE = 8 << 10;
constexpr size_t MAX_BODY = 1 << 20;

const std::map<int, const char *> REASONS = {
    {200, "OK"}, {201, "Created"}, {204, "No Content"}, {400, "Bad Request"},
    {404, "Not Found"}, {405, "Method Not Allowed"}, {413, "Content Too Large"},
    {500, "Internal Server Error"},
};

std::string decode(const std::string &text) {
    std::string plain;
    for (size_t i = 0; i < text.size(); i++) {
        if (text[i] == '%' && i + 2 < text.size()) {
            plain += static_cast<char>(std::stoi(text.substr(i + 1, 2), nullptr, 16));
            i += 2;
        } else {
            plain += text[i] == '+' ? ' ' : text[i];
        }
    }
    return plain;
}

std::map<std::string, std::string> parse_query(const std::string &text) {
    std::map<std::string, std::string> query;
    std::istringstream words(text);
    for (std::string word; std::getline(words, word, '&');) {
        auto equals = word.find('=');
        query[decode(word.substr(0, equals))] = equals == std::string::npos ? "" : decode(word.substr(equals + 1));
    }
    return query;
}

std::string lower(std::string text) {
    for (char &letter : text)
        if (letter >= 'A' && letter <= 'Z')
            letter += 'a' - 'A';
    return text;
}

} // namespace

long Request::number(const std::string &name, long fallback) const {
    auto found = query.find(name);
    if (found == query.end())
        return fallback;
    try {
        size_t end;
        long value = std::stol(found->second, &end);
        if (end == found->second.size())
            return value;
    } catch (const std::logic_error &) {
        // Neither a number nor in range: as below.
    }
    throw Error(400, name + " is not a number");
}

Connection::~Connection() {
    close(descriptor);
}

bool Connection::fill() {
    char block[4096];
    ssize_t count;
    do
        count = recv(descriptor, block, sizeof block, 0);
    while (count < 0 && errno == EINTR);
    if (count <= 0)
        return false;
    buffer.append(block, static_cast<size_t>(count));
    return true;
}

std::string Connection::line() {
    size_t end;
    while ((end = buffer.find("\r\n")) == std::string::npos) {
        if (buffer.size() > MAX_LINE)
            throw Error(413, "a line without end");
        if (!fill())
            throw Error(400, "the request ends early");
    }
    std::string text = buffer.substr(0, end);
    buffer.erase(0, end + 2);
    return text;
}

bool Connection::read(Request &request) {
    if (buffer.empty() && !fill())
        return false;
    request = Request();
    std::istringstream first(line());
    std::string target, version;
    if (!(first >> request.method >> target >> version) || version.rfind("HTTP/1.", 0) != 0)
        throw Error(400, "not a request");
    for (std::string header = line(); !header.empty(); header = line()) {
        auto colon = header.find(':');
        if (colon == std::string::npos)
            throw Error(400, "not a header");
        auto value = header.find_first_not_of(' ', colon + 1);
        request.headers[lower(header.substr(0, colon))] = value == std::string::npos ? "" : header.substr(value);
    }
    auto question = target.find('?');
    request.path = decode(target.substr(0, question));
    if (question != std::string::npos)
        request.query = parse_query(target.substr(question + 1));
    if (request.headers.count("content-length")) {
        size_t length;
        try {
            length = std::stoul(request.headers["content-length"]);
        } catch (const std::logic_error &) {
            throw Error(400, "a length that is none");
        }
        if (length > MAX_BODY)
            throw Error(413, "too long");
        while (buffer.size() < length)
            if (!fill())
                throw Error(400, "the body ends early");
        request.body = buffer.substr(0, length);
        buffer.erase(0, length);
    }
    return true;
}

void Connection::write(const Response &response, bool keep) {
    std::ostringstream text;
    text << "HTTP/1.1 " << response.status << ' ' << REASONS.at(response.status) << "\r\n"
         << "Content-Type: " << response.type << "\r\n"
         << "Content-Length: " << response.body.size() << "\r\n"
         << "Connection: " << (keep ? "keep-alive" : "close") << "\r\n\r\n"
         << response.body;
    const std::string bytes = text.str();
    for (size_t sent = 0; sent < bytes.size();) {
        ssize_t count = send(descriptor, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
        if (count < 0 && errno != EINTR)
            throw std::system_error(errno, std::generic_category(), "send");
        if (count > 0)
            sent += static_cast<size_t>(count);
    }
}

} // namespace http
