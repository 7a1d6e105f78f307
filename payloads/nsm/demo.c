/* Asks the security module for random bytes and for an attestation document,
 * time and again: the same program in an AWS Nitro Enclave and under km --nsm.
 *
 *     demo [ROUNDS [SECONDS]]
 *
 * ROUNDS (else $ROUNDS, else 3; 0 is without end), SECONDS between them (else
 * $SECONDS_BETWEEN, else 2). $NONCE has the verifier's nonce in hexadecimal digits. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define DEVICE "/dev/nsm"

struct message {
	uint64_t request, request_size, response, response_size;
};
#define NSM_ASK _IOWR(0x0a, 0, struct message)

enum { REQUEST_MAX = 0x1000, RESPONSE_MAX = 0x3000, NONCE_MAX = 512 };

static _Noreturn void fail(const char *what, const char *why)
{
	fprintf(stderr, "demo: %s: %s\n", what, why);
	exit(1);
}

/* A request being written. */
static unsigned char request[REQUEST_MAX];
static size_t request_size;

static void put(const void *bytes, size_t size)
{
	memcpy(request + request_size, bytes, size);
	request_size += size;
}

/* A text (major type 3) or bytes (2) in CBOR. */
static void put_string(int major, const void *bytes, size_t size)
{
	unsigned char head[3] = { major << 5, size >> 8, size };
	if (size < 24) {
		head[0] |= size;
		put(head, 1);
	} else if (size < 256) {
		head[0] |= 24;
		put(head, 1);
		put(head + 2, 1);
	} else {
		head[0] |= 25;
		put(head, 3);
	}
	put(bytes, size);
}

static void put_text(const char *text) { put_string(3, text, strlen(text)); }

/* Sends the request. The answer is {name: {field: bytes}}; returns the bytes. */
static const unsigned char *ask(int nsm, const char *name, const char *field, size_t *size)
{
	static unsigned char response[RESPONSE_MAX];
	struct message message = { (uintptr_t)request, request_size, (uintptr_t)response, sizeof response };
	if (ioctl(nsm, NSM_ASK, &message) != 0)
		fail(name, strerror(errno));
	const unsigned char *at = response, *end = response + message.response_size;

	/* What it must begin with is written with the same words. */
	request_size = 0;
	put("\xa1", 1);
	put_text(name);
	put("\xa1", 1);
	put_text(field);
	if (message.response_size < request_size + 3 || memcmp(at, request, request_size) != 0)
		fail(name, "refused");
	at += request_size;
	size_t head = *at == 0x59 ? 3 : *at == 0x58 ? 2 : 0;
	*size = head == 3 ? at[1] << 8 | at[2] : at[1];
	if (head == 0 || *size != (size_t)(end - at) - head)
		fail(name, "an answer that is not understood");
	return at + head;
}

static const unsigned char *get_random(int nsm, size_t *size)
{
	request_size = 0;
	put_text("GetRandom");
	return ask(nsm, "GetRandom", "random", size);
}

static const unsigned char *attest(int nsm, const char *user_data, const unsigned char *nonce, size_t nonce_size, size_t *size)
{
	request_size = 0;
	put("\xa1", 1);
	put_text("Attestation");
	put("\xa3", 1);
	put_text("user_data");
	put_string(2, user_data, strlen(user_data));
	put_text("nonce");
	if (nonce_size > 0)
		put_string(2, nonce, nonce_size);
	else
		put("\xf6", 1);
	put_text("public_key");
	put("\xf6", 1);
	return ask(nsm, "Attestation", "document", size);
}

static void print_base64(const unsigned char *bytes, size_t size)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	for (size_t at = 0; at < size; at += 3) {
		size_t left = size - at;
		uint32_t three = bytes[at] << 16 | (left > 1 ? bytes[at + 1] << 8 : 0) | (left > 2 ? bytes[at + 2] : 0);
		putchar(digits[three >> 18]);
		putchar(digits[three >> 12 & 63]);
		putchar(left > 1 ? digits[three >> 6 & 63] : '=');
		putchar(left > 2 ? digits[three & 63] : '=');
	}
	putchar('\n');
}

static unsigned long number(int argc, char **argv, int index, const char *variable, unsigned long otherwise)
{
	const char *text = argc > index ? argv[index] : getenv(variable);
	if (!text)
		return otherwise;
	char *end;
	errno = 0;
	unsigned long found = strtoul(text, &end, 10);
	if (errno || end == text || *end)
		fail(text, "not a number");
	return found;
}

static size_t read_nonce(const char *text, unsigned char *nonce)
{
	size_t size = strlen(text) / 2;
	if (strlen(text) % 2 || size > NONCE_MAX || strspn(text, "0123456789abcdefABCDEF") != strlen(text))
		fail(text, "not a nonce");
	for (size_t i = 0; i < size; i++)
		sscanf(text + 2 * i, "%2hhx", &nonce[i]);
	return size;
}

int main(int argc, char **argv)
{
	unsigned long rounds = number(argc, argv, 1, "ROUNDS", 3);
	unsigned long seconds = number(argc, argv, 2, "SECONDS_BETWEEN", 2);
	unsigned char nonce[NONCE_MAX];
	const char *text = getenv("NONCE");
	size_t nonce_size = text ? read_nonce(text, nonce) : 0;

	int nsm = open(DEVICE, O_RDWR | O_CLOEXEC);
	if (nsm < 0)
		fail(DEVICE, strerror(errno));
	for (unsigned long round = 1; rounds == 0 || round <= rounds; round++) {
		char user_data[40];
		size_t size;
		if (round > 1)
			sleep(seconds);
		snprintf(user_data, sizeof user_data, "round %lu", round);
		printf("%s\nrandom ", user_data);
		const unsigned char *bytes = get_random(nsm, &size);
		for (size_t i = 0; i < 32 && i < size; i++)
			printf("%02x", bytes[i]);
		printf("\ndocument ");
		bytes = attest(nsm, user_data, nonce, nonce_size, &size);
		print_base64(bytes, size);
		if (fflush(stdout) != 0)
			fail("standard output", strerror(errno));
	}
}
