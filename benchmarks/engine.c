/* An engine that replays prebuilt answers over a unix socket, as fast as the machine can.
 *
 *     engine SOCKET ROUTES
 *
 * Each line of the file ROUTES is "METHOD PATH HEAD BLOCK TIMES TAIL": to a request of this method and path
 * (without /vX.Y and the query; what ends with * stands for all that begin like it) it sends the file HEAD, then TIMES the file BLOCK, then the file TAIL. A request
 * is read and discarded first. A route that is not there is a 404. Each connection has a thread of its own.
 */

#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { ROUTES = 64, BUFFER = 1 << 20, NAME = 512 };

struct file { char *data; size_t size; };
struct route { char method[16], path[NAME]; struct file head, block, tail; long times; };

static struct route routes[ROUTES];
static int known;

static const char missing[] =
    "HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nContent-Length: 27\r\n\r\n{\"message\":\"no such route\"}";

static void fail(const char *what) { perror(what); exit(1); }

static struct file load(const char *path) {
    struct stat found;
    int descriptor = open(path, O_RDONLY);
    if (descriptor < 0 || fstat(descriptor, &found)) fail(path);
    struct file file = {malloc(found.st_size + 1), found.st_size};
    if (read(descriptor, file.data, file.size) != (ssize_t)file.size) fail(path);
    close(descriptor);
    return file;
}

static void load_routes(const char *path) {
    char head[NAME], block[NAME], tail[NAME];
    FILE *lines = fopen(path, "r");
    if (!lines) fail(path);
    for (struct route *next = routes; known < ROUTES; next++, known++) {
        if (fscanf(lines, "%15s %511s %511s %511s %ld %511s", next->method, next->path, head, block, &next->times, tail) != 6)
            break;
        next->head = load(head), next->block = load(block), next->tail = load(tail);
    }
    fclose(lines);
}

/* What one connection has received and not used yet. */
struct wire { int socket; size_t start, end; char buffer[BUFFER]; };

static int more(struct wire *wire) {
    if (wire->start == wire->end) wire->start = wire->end = 0;
    if (wire->end == BUFFER) {
        memmove(wire->buffer, wire->buffer + wire->start, wire->end - wire->start);
        wire->end -= wire->start, wire->start = 0;
    }
    ssize_t got = recv(wire->socket, wire->buffer + wire->end, BUFFER - wire->end, 0);
    if (got <= 0) return 0;
    wire->end += got;
    return 1;
}

/* Return the bytes up to and with a mark, 0 at the end of the connection. */
static size_t upto(struct wire *wire, const char *mark) {
    for (;;) {
        char *begin = wire->buffer + wire->start;
        char *found = memmem(begin, wire->end - wire->start, mark, strlen(mark));
        if (found) return found - begin + strlen(mark);
        if (!more(wire)) return 0;
    }
}

static int discard(struct wire *wire, size_t size) {
    while (size) {
        if (wire->start == wire->end && !more(wire)) return 0;
        size_t there = wire->end - wire->start, used = there < size ? there : size;
        wire->start += used, size -= used;
    }
    return 1;
}

static int discard_chunks(struct wire *wire) {
    size_t size = 1;
    while (size) {
        size_t line = upto(wire, "\r\n");
        if (!line) return 0;
        size = strtoul(wire->buffer + wire->start, NULL, 16);
        if (!discard(wire, line + size + 2)) return 0;
    }
    return 1;
}

static int send_all(int socket, struct file file) {
    for (size_t sent = 0; sent < file.size;) {
        ssize_t count = send(socket, file.data + sent, file.size - sent, MSG_NOSIGNAL);
        if (count <= 0) return 0;
        sent += count;
    }
    return 1;
}

static int answer(int socket, const char *method, const char *target) {
    const char *path = target;
    if (path[1] == 'v' && path[2] >= '0' && path[2] <= '9') path = strchr(path + 1, '/');
    for (struct route *each = routes; path && each < routes + known; each++) {
        char *star = strchr(each->path, '*');
        int differs = star ? strncmp(each->path, path, star - each->path) : strcmp(each->path, path);
        if (differs || strcmp(each->method, method)) continue;
        if (!send_all(socket, each->head)) return 0;
        for (long time = 0; time < each->times; time++)
            if (!send_all(socket, each->block)) return 0;
        return send_all(socket, each->tail);
    }
    return send_all(socket, (struct file){(char *)missing, sizeof missing - 1});
}

static int exchange(struct wire *wire) {
    char method[16], target[4096];
    size_t size = upto(wire, "\r\n\r\n");
    if (!size) return 0;
    char *head = wire->buffer + wire->start;
    head[size - 1] = 0;
    if (sscanf(head, "%15s %4095[^ ?]", method, target) != 2) return 0;
    char *length = strcasestr(head, "\r\ncontent-length:");
    size_t body = length ? strtoul(length + 17, NULL, 10) : 0;
    int chunked = strcasestr(head, "\r\ntransfer-encoding: chunked") != NULL;
    wire->start += size;
    return (chunked ? discard_chunks(wire) : discard(wire, body)) && answer(wire->socket, method, target);
}

static void *serve(void *argument) {
    struct wire *wire = argument;
    while (exchange(wire)) {}
    close(wire->socket);
    free(wire);
    return NULL;
}

int main(int count, char **arguments) {
    if (count != 3) return fprintf(stderr, "usage: engine SOCKET ROUTES\n"), 2;
    signal(SIGPIPE, SIG_IGN);
    load_routes(arguments[2]);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strncpy(address.sun_path, arguments[1], sizeof address.sun_path - 1);
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 1024)) fail(arguments[1]);
    for (;;) {
        pthread_t thread;
        struct wire *wire = malloc(sizeof *wire);
        wire->start = wire->end = 0;
        if ((wire->socket = accept(listener, NULL, NULL)) < 0) fail("accept");
        if (pthread_create(&thread, NULL, serve, wire)) fail("pthread_create");
        pthread_detach(thread);
    }
}
