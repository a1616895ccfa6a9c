/* Sends mails to an SMTP server and takes the answers at a port of its own: how long each trip takes, and all together.
 *
 *     mail-trip SMTP-PORT SINK-PORT SESSIONS MAILS USERS DOMAIN PREFIX
 *
 * Every mail comes from an address of its own (PREFIX-N@sender.example) over a connection of its own, to one of USERS
 * addresses of DOMAIN. A trip begins before the connection is made and ends when the answer to that sender has been taken
 * whole. Prints "seconds p50 p99 answers", the middle two in milliseconds.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int smtp_port, sink_port, sessions, mails, users;
static const char *domain, *prefix;
static double *began, *ended;
static atomic_int next_mail, answers;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static void die(const char *what) {
    fprintf(stderr, "mail-trip: %s\n", what);
    exit(1);
}

/* --- The sink ----------------------------------------------------------------------------------------------------- */

struct reader {
    int fd;
    size_t used, start;
    char buffer[65536];
};

/* The next line without its end; NULL when the connection is over. */
static char *line(struct reader *r) {
    for (;;) {
        char *end = memchr(r->buffer + r->start, '\n', r->used - r->start);
        if (end) {
            char *found = r->buffer + r->start;
            *end = 0;
            if (end > found && end[-1] == '\r') end[-1] = 0;
            r->start = end + 1 - r->buffer;
            return found;
        }
        if (r->start > 0) {
            memmove(r->buffer, r->buffer + r->start, r->used - r->start);
            r->used -= r->start;
            r->start = 0;
        }
        if (r->used == sizeof r->buffer) return NULL;
        ssize_t n = read(r->fd, r->buffer + r->used, sizeof r->buffer - r->used);
        if (n <= 0) return NULL;
        r->used += n;
    }
}

static int say(int fd, const char *text) {
    size_t length = strlen(text);
    return send(fd, text, length, MSG_NOSIGNAL) == (ssize_t)length;
}

static void *take(void *argument) {
    struct reader *r = argument;
    int mail = -1;
    char *text;
    say(r->fd, "220 sink ESMTP\r\n");
    while ((text = line(r))) {
        if (!strncasecmp(text, "RCPT", 4)) {
            char *at = strstr(text, prefix);
            mail = at && at[strlen(prefix)] == '-' ? atoi(at + strlen(prefix) + 1) : -1;
            say(r->fd, "250 2.1.5 Ok\r\n");
        } else if (!strncasecmp(text, "DATA", 4)) {
            say(r->fd, "354 Go on\r\n");
            while ((text = line(r)) && strcmp(text, ".")) continue;
            if (!text) break;
            if (mail >= 0 && mail < mails && ended[mail] == 0) {
                ended[mail] = now();
                atomic_fetch_add(&answers, 1);
            }
            say(r->fd, "250 2.0.0 Ok: queued as S1\r\n");
        } else if (!strncasecmp(text, "EHLO", 4)) {
            /* As Postfix and nearly every other server offers. */
            say(r->fd, "250-sink\r\n250 PIPELINING\r\n");
        } else if (!strncasecmp(text, "QUIT", 4)) {
            say(r->fd, "221 2.0.0 Bye\r\n");
            break;
        } else {
            say(r->fd, "250 2.0.0 Ok\r\n");
        }
    }
    close(r->fd);
    free(r);
    return NULL;
}

static void *listen_for_answers(void *argument) {
    int fd = *(int *)argument;
    for (;;) {
        struct reader *r = calloc(1, sizeof *r);
        if (!r) die("no memory");
        r->fd = accept(fd, NULL, NULL);
        if (r->fd < 0) die("accept");
        int yes = 1;
        setsockopt(r->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        pthread_t thread;
        pthread_attr_t small;
        pthread_attr_init(&small);
        pthread_attr_setstacksize(&small, 128 * 1024);
        if (pthread_create(&thread, &small, take, r)) die("no thread");
        pthread_detach(thread);
    }
    return NULL;
}

/* --- The senders -------------------------------------------------------------------------------------------------- */

static struct sockaddr_in local(int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

static void expect(struct reader *r, char class) {
    char *text;
    do {
        text = line(r);
        if (!text) die("the server hung up");
        if (text[0] != class) die(text);
    } while (text[3] == '-');
}

static void send_mail(int number) {
    struct reader r = {.fd = socket(AF_INET, SOCK_STREAM, 0)};
    struct sockaddr_in address = local(smtp_port);
    char text[4096];
    began[number] = now();
    if (connect(r.fd, (struct sockaddr *)&address, sizeof address)) die("connect");
    int yes = 1;
    setsockopt(r.fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    expect(&r, '2');
    say(r.fd, "EHLO mail.sender.example\r\n");
    expect(&r, '2');
    snprintf(text, sizeof text, "MAIL FROM:<%s-%d@sender.example>\r\n", prefix, number);
    say(r.fd, text);
    expect(&r, '2');
    snprintf(text, sizeof text, "RCPT TO:<user%d@%s>\r\n", number % users, domain);
    say(r.fd, text);
    expect(&r, '2');
    say(r.fd, "DATA\r\n");
    expect(&r, '3');
    time_t seconds = time(NULL);
    char date[64];
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S +0000", gmtime(&seconds));
    int length = snprintf(text, sizeof text,
        "From: Ann <%s-%d@sender.example>\r\nTo: user%d@%s\r\nSubject: Opening hours\r\nDate: %s\r\n"
        "Message-ID: <%s-%d@sender.example>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n",
        prefix, number, number % users, domain, date, prefix, number);
    while (length < 2048)
        length += snprintf(text + length, sizeof text - length, "When are you open? And on Sundays, and before noon?\r\n");
    snprintf(text + length, sizeof text - length, ".\r\n");
    say(r.fd, text);
    expect(&r, '2');
    say(r.fd, "QUIT\r\n");
    expect(&r, '2');
    close(r.fd);
}

static void *send_mails(void *unused) {
    (void)unused;
    for (;;) {
        int number = atomic_fetch_add(&next_mail, 1);
        if (number >= mails) return NULL;
        send_mail(number);
    }
}

static int compare(const void *left, const void *right) {
    double difference = *(const double *)left - *(const double *)right;
    return (difference > 0) - (difference < 0);
}

int main(int count, char **arguments) {
    if (count != 8) die("SMTP-PORT SINK-PORT SESSIONS MAILS USERS DOMAIN PREFIX");
    smtp_port = atoi(arguments[1]);
    sink_port = atoi(arguments[2]);
    sessions = atoi(arguments[3]);
    mails = atoi(arguments[4]);
    users = atoi(arguments[5]);
    domain = arguments[6];
    prefix = arguments[7];
    if (sessions < 1 || mails < 1 || users < 1) die("nothing to send");
    began = calloc(mails, sizeof *began);
    ended = calloc(mails, sizeof *ended);
    int fd = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    struct sockaddr_in address = local(sink_port);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, 512)) die("the sink's port is taken");
    pthread_t thread, senders[256];
    pthread_create(&thread, NULL, listen_for_answers, &fd);
    double start = now();
    if (sessions > 256) sessions = 256;
    for (int i = 0; i < sessions; i++) pthread_create(&senders[i], NULL, send_mails, NULL);
    for (int i = 0; i < sessions; i++) pthread_join(senders[i], NULL);
    double limit = now() + 120;
    while (atomic_load(&answers) < mails && now() < limit) usleep(1000);
    double last = 0;
    double *trips = calloc(mails, sizeof *trips);
    int done = 0;
    for (int i = 0; i < mails; i++) {
        if (ended[i] == 0) continue;
        if (ended[i] > last) last = ended[i];
        trips[done++] = ended[i] - began[i];
    }
    qsort(trips, done, sizeof *trips, compare);
    printf("%.6f %.3f %.3f %d\n", last - start, done ? trips[done / 2] * 1000 : 0,
        done ? trips[(int)(done * 0.99)] * 1000 : 0, done);
    fflush(stdout);
    _exit(done == mails ? 0 : 1);
}
