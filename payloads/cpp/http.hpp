// Requests and answers of HTTP/1.1, as much of it as the server speaks.
#pragma once

#include <map>
#include <stdexcept>
#include <string>

namespace http {

// A mistake of the client, and the status that tells it so.
class Error : public std::runtime_error {
public:
    Error(int status, const std::string &reason) : std::runtime_error(reason), status(status) {}
    const int status;
};

struct Request {
    std::string method;
    std::string path;
    std::map<std::string, std::string> query;
    std::map<std::string, std::string> headers;
    std::string body;

    // A number from the query; throws Error when it is none.
    long number(const std::string &name, long fallback) const;
};

struct Response {
    int status = 200;
    std::string type = "text/plain";
    std::string body;
};

// A connection with a client; closed with the object.
class Connection {
public:
    explicit Connection(int descriptor) : descriptor(descriptor) {}
    ~Connection();
    Connection(const Connection &) = delete;
    Connection &operator=(const Connection &) = delete;

    // The next request; false at the end of the connection.
    bool read(Request &request);
    void write(const Response &response, bool keep);

private:
    bool fill();
    std::string line();

    int descriptor;
    std::string buffer;
};

} // namespace http
