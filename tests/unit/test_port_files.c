/* SPDX-License-Identifier: Apache-2.0 */
#include "km_test.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kubemote/km_port.h"

static char folder[] = "/tmp/km_files_XXXXXX";
static char path[64], other[80];

static int make_folder(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/file", folder);
    snprintf(other, sizeof other, "%s/file.tmp", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path);
    unlink(other);
    return rmdir(folder);
}

static void test_read(void **state)
{
    char text[32];

    (void)state;
    assert_int_equal(km_port_file_read(path, text, sizeof text), KM_ERR_NOT_FOUND);
    assert_int_equal(km_port_file_replace(path, "0123456789", 10), KM_OK);
    assert_int_equal(km_port_file_read(path, text, sizeof text), 10);
    assert_string_equal(text, "0123456789");
    assert_int_equal(km_port_file_read(path, text, 11), 10);
    assert_int_equal(km_port_file_read(path, text, 10), KM_ERR_TOO_LONG);
    assert_int_equal(km_port_file_read(folder, text, sizeof text), KM_ERR_IO);
    assert_int_equal(km_port_file_read_at(path, 7, text, sizeof text), 3);
    assert_memory_equal(text, "789", 3);
    assert_int_equal(km_port_file_read_at(path, 10, text, sizeof text), 0);
    assert_int_equal(km_port_file_read_at(path, 99, text, sizeof text), 0);
    assert_true(km_port_file_read("/proc/self/status", text, sizeof text) == KM_ERR_TOO_LONG);
    assert_int_equal(km_port_file_replace(path, "", 0), KM_OK);
    assert_int_equal(km_port_file_read(path, text, sizeof text), 0);
}

/* A pipe that nobody writes to must not block; one that has a writer is read to its end. */
static void test_pipes(void **state)
{
    char text[16], name[32];
    int ends[2];

    (void)state;
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(km_port_file_read(path, text, sizeof text), 0);
    unlink(path);
    assert_int_equal(pipe(ends), 0);
    snprintf(name, sizeof name, "/proc/self/fd/%d", ends[0]);
    assert_int_equal(km_port_file_read(name, text, sizeof text), KM_ERR_IO);
    assert_int_equal(write(ends[1], "late", 4), 4);
    close(ends[1]);
    assert_int_equal(km_port_file_read(name, text, sizeof text), 4);
    assert_string_equal(text, "late");
    close(ends[0]);
}

/* A link that lies where the temporary file goes must not be followed. */
static void test_replace_beside_a_link(void **state)
{
    char text[8];
    struct stat st;

    (void)state;
    assert_int_equal(symlink("/dev/null", other), 0);
    assert_int_equal(km_port_file_replace(path, "new", 3), KM_OK);
    assert_int_equal(km_port_file_read(path, text, sizeof text), 3);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_true(access(other, F_OK) != 0);
    assert_int_equal(km_port_file_replace("/nonexistent/x", "new", 3), KM_ERR_NOT_FOUND);
}

static int count_down(void *ctx, struct km_slice *piece)
{
    int *left = ctx;

    *piece = km_slice_of("piece ");
    return *left < 0 ? KM_ERR_TOO_LONG : (*left)-- > 1 ? KM_AGAIN : KM_EOF;
}

/* A maker that fails leaves the former text. */
static void test_replace_in_pieces(void **state)
{
    char text[64];
    int left = 3;

    (void)state;
    assert_int_equal(km_port_file_replace_by(path, count_down, &left), KM_OK);
    assert_int_equal(km_port_file_read(path, text, sizeof text), 18);
    assert_string_equal(text, "piece piece piece ");
    left = -1;
    assert_int_equal(km_port_file_replace_by(path, count_down, &left), KM_ERR_TOO_LONG);
    assert_int_equal(km_port_file_read(path, text, sizeof text), 18);
    assert_true(access(other, F_OK) != 0);
}

/* Another process may have made the descriptor that we share with it non-blocking. */
static void test_descriptors_that_do_not_block(void **state)
{
    static char text[200000], back[sizeof text + 1];
    size_t got = 0;
    int ends[2], status, n;
    pid_t writer;

    (void)state;
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)('a' + i % 26);
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
    writer = fork();
    assert_true(writer >= 0);
    if (writer == 0) {
        usleep(50000);
        _exit(km_port_write(ends[1], text, sizeof text) == KM_OK ? 0 : 1);
    }
    close(ends[1]);
    while ((n = km_port_read(ends[0], back + got, sizeof back - got)) > 0)
        got += (size_t)n;
    assert_int_equal(n, KM_EOF);
    close(ends[0]);
    assert_int_equal(waitpid(writer, &status, 0), writer);
    assert_int_equal(status, 0);
    assert_int_equal(got, sizeof text);
    assert_memory_equal(back, text, sizeof text);
}

/* What nobody reads any more is an error and no wait. */
static void test_write_without_a_reader(void **state)
{
    int ends[2];

    (void)state;
    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
    close(ends[0]);
    assert_int_equal(km_port_write(ends[1], "text", 4), KM_ERR_IO);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_read),
                                       cmocka_unit_test(test_pipes),
                                       cmocka_unit_test(test_replace_beside_a_link),
                                       cmocka_unit_test(test_replace_in_pieces),
                                       cmocka_unit_test(test_descriptors_that_do_not_block),
                                       cmocka_unit_test(test_write_without_a_reader)};

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
