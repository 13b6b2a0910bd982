/*
 * What the kernel alone costs: keeps connections, and writes an event to each when it is told to on standard input.
 *   "send TIMES BYTES\n" and as many bytes   one write of them to each connection, TIMES times; answers "sent"
 *   "cpu\n"                                  answers the microseconds of CPU time so far
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define MOST 65536

static const char head[] =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n";
static int connections[MOST];
static int count;
static char data[1 << 20];

static void forget(int connection) {
  for (int index = 0; index < count; index++)
    if (connections[index] == connection) connections[index] = connections[--count];
  close(connection);
}

static void answer_request(int connection) {
  char request[4096];
  if (read(connection, request, sizeof request) <= 0) return forget(connection);
  if (write(connection, head, sizeof head - 1) < 0 || count == MOST) return forget(connection);
  connections[count++] = connection;
}

static void send_to_all(int times, size_t length) {
  for (size_t got = 0; got < length;) got += fread(data + got, 1, length - got, stdin);
  for (int time = 0; time < times; time++)
    for (int index = 0; index < count; index++)
      if (write(connections[index], data, length) != (ssize_t)length) exit(1);
  puts("sent");
}

static void tell_cpu(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  printf("%lld\n", (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000LL + usage.ru_utime.tv_usec +
                       usage.ru_stime.tv_usec);
}

static void obey(void) {
  char line[64];
  int times;
  size_t length;
  if (fgets(line, sizeof line, stdin) == NULL) exit(0);
  if (sscanf(line, "send %d %zu", &times, &length) == 2 && length <= sizeof data) send_to_all(times, length);
  else tell_cpu();
  fflush(stdout);
}

static void watch(int epoll, int file) {
  struct epoll_event event = {.events = EPOLLIN, .data.fd = file};
  epoll_ctl(epoll, EPOLL_CTL_ADD, file, &event);
}

int main(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  int epoll = epoll_create1(0);
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  setvbuf(stdin, NULL, _IONBF, 0);
  if (bind(listener, (struct sockaddr *)&address, size) || listen(listener, 4096)) return 1;
  getsockname(listener, (struct sockaddr *)&address, &size);
  printf("%d\n", ntohs(address.sin_port));
  fflush(stdout);
  watch(epoll, listener);
  watch(epoll, STDIN_FILENO);
  for (;;) {
    struct epoll_event event;
    if (epoll_wait(epoll, &event, 1, -1) < 1) continue;
    if (event.data.fd == STDIN_FILENO) obey();
    else if (event.data.fd == listener) watch(epoll, accept(listener, NULL, NULL));
    else answer_request(event.data.fd);
  }
}
