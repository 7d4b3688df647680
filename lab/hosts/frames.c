/*
 * Sends and counts raw Ethernet frames: what guests do that try to steal addresses, and what arrives of it.
 *
 *     frames send DEVICE TIMES GAP FRAME...   each frame (in hex) in turn, TIMES times, GAP milliseconds between them
 *     frames count DEVICE FILE MARK...        begins in the background and prints its process number; at SIGTERM,
 *                                             FILE gets a line for each mark: how many frames had it in them
 *
 * Only what was for this device counts: to its address, or to all.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netpacket/packet.h>
#include <net/ethernet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LONGEST 1514

struct bytes {
	size_t length;
	unsigned char at[LONGEST];
};

static volatile sig_atomic_t ended;

static void end(int signal)
{
	(void)signal;
	ended = 1;
}

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void from_hex(const char *text, struct bytes *bytes)
{
	bytes->length = strlen(text) / 2;
	if (bytes->length > LONGEST) {
		errno = EMSGSIZE;
		fail("frame");
	}
	for (size_t i = 0; i < bytes->length; i++)
		if (sscanf(text + 2 * i, "%2hhx", &bytes->at[i]) != 1) {
			errno = EINVAL;
			fail(text);
		}
}

static int open_device(const char *name)
{
	struct sockaddr_ll place = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	int device = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));

	place.sll_ifindex = if_nametoindex(name);
	if (device < 0 || place.sll_ifindex == 0 || bind(device, (struct sockaddr *)&place, sizeof(place)) < 0)
		fail(name);
	return device;
}

static int send_frames(int device, int times, int gap, int number, char **texts)
{
	struct bytes *frames = calloc(number, sizeof(*frames));

	for (int i = 0; i < number; i++)
		from_hex(texts[i], &frames[i]);
	for (int time = 0; time < times; time++)
		for (int i = 0; i < number; i++) {
			if (send(device, frames[i].at, frames[i].length, 0) < 0)
				fail("send");
			usleep(1000 * gap);
		}
	return 0;
}

static int count_frames(int device, const char *file, int number, char **texts)
{
	struct timeval patience = { .tv_usec = 100000 };
	struct bytes *marks = calloc(number, sizeof(*marks));
	unsigned long *counted = calloc(number, sizeof(*counted));
	unsigned char frame[65536];
	char unfinished[4096];
	FILE *output;
	pid_t child;

	for (int i = 0; i < number; i++)
		from_hex(texts[i], &marks[i]);
	setsockopt(device, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	signal(SIGTERM, end);
	child = fork();
	if (child != 0) {
		printf("%d\n", child);
		return child < 0;
	}
	fclose(stdout); /* who started us reads until its end */
	fclose(stderr);
	while (!ended) {
		struct sockaddr_ll from;
		socklen_t size = sizeof(from);
		ssize_t length = recvfrom(device, frame, sizeof(frame), 0, (struct sockaddr *)&from, &size);

		if (length < 0 || from.sll_pkttype == PACKET_OUTGOING || from.sll_pkttype == PACKET_OTHERHOST)
			continue;
		for (int i = 0; i < number; i++)
			counted[i] += memmem(frame, length, marks[i].at, marks[i].length) != NULL;
	}
	snprintf(unfinished, sizeof(unfinished), "%s.unfinished", file);
	output = fopen(unfinished, "w");
	if (!output)
		return 1;
	for (int i = 0; i < number; i++)
		fprintf(output, "%lu\n", counted[i]);
	return fclose(output) != 0 || rename(unfinished, file) != 0;
}

int main(int argc, char **argv)
{
	if (argc > 5 && strcmp(argv[1], "send") == 0)
		return send_frames(open_device(argv[2]), atoi(argv[3]), atoi(argv[4]), argc - 5, argv + 5);
	if (argc > 4 && strcmp(argv[1], "count") == 0)
		return count_frames(open_device(argv[2]), argv[3], argc - 4, argv + 4);
	fprintf(stderr, "usage: see frames.c\n");
	return 2;
}
