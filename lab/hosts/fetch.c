/*
 * Asks web servers for their page, each from an address of its own, which wget cannot choose.
 *
 *     fetch SECONDS TARGET SOURCE [TARGET SOURCE]...   a line for each: the first of the page, empty without an answer
 *
 * SOURCE may be "-": then routing chooses. SECONDS is how long each step of a request may take.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define REQUEST "GET / HTTP/1.0\r\n\r\n"
#define LONGEST 65536

struct place {
	struct sockaddr_storage at;
	socklen_t size;
};

static struct place place_of(const char *text, int port)
{
	struct place place = { 0 };

	if (strchr(text, ':')) {
		struct sockaddr_in6 *at = (struct sockaddr_in6 *)&place.at;

		place.size = sizeof(*at);
		at->sin6_family = AF_INET6;
		at->sin6_port = htons(port);
		if (inet_pton(AF_INET6, text, &at->sin6_addr) == 1)
			return place;
	} else {
		struct sockaddr_in *at = (struct sockaddr_in *)&place.at;

		place.size = sizeof(*at);
		at->sin_family = AF_INET;
		at->sin_port = htons(port);
		if (inet_pton(AF_INET, text, &at->sin_addr) == 1)
			return place;
	}
	fprintf(stderr, "no address: %s\n", text);
	exit(2);
}

/* The page that the line brings, in `answer`; NULL without one. */
static char *ask(int line, const struct place *target, char *answer)
{
	size_t length = 0;
	ssize_t got;
	char *page;

	if (connect(line, (const struct sockaddr *)&target->at, target->size) < 0 ||
	    send(line, REQUEST, strlen(REQUEST), MSG_NOSIGNAL) < 0)
		return NULL;
	while (length < LONGEST && (got = recv(line, answer + length, LONGEST - length, 0)) > 0)
		length += got;
	answer[length] = '\0';
	page = strstr(answer, "\r\n\r\n");
	return page && strncmp(answer, "HTTP/1.", 7) == 0 && strncmp(answer + 8, " 200", 4) == 0 ? page + 4 : NULL;
}

int main(int argc, char **argv)
{
	static char answer[LONGEST + 1];

	if (argc < 4 || argc % 2 != 0) {
		fprintf(stderr, "usage: see fetch.c\n");
		return 2;
	}
	for (int i = 2; i < argc; i += 2) {
		struct timeval patience = { .tv_sec = atoi(argv[1]) };
		struct place target = place_of(argv[i], 80);
		int line = socket(target.at.ss_family, SOCK_STREAM, 0);
		char *page;

		setsockopt(line, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
		setsockopt(line, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
		if (strcmp(argv[i + 1], "-") != 0) {
			struct place source = place_of(argv[i + 1], 0);

			if (bind(line, (struct sockaddr *)&source.at, source.size) < 0) {
				perror(argv[i + 1]);
				return 2;
			}
		}
		page = ask(line, &target, answer);
		printf("%.*s\n", page ? (int)strcspn(page, "\r\n") : 0, page ? page : "");
		close(line);
	}
	return 0;
}
