#include "fixture.h"

#include <check.h>
#include <string.h>

#include "base/memory.h"

wire_request request;
steno_error error;
bytes config, streaming, message, part;

void wire_fixture_setup(void)
{
    wire_request_init(&request);
    config.size = streaming.size = message.size = part.size = 0;
}

void wire_fixture_teardown(void)
{
    wire_request_finish(&request);
    ck_assert_uint_eq(memory_alive(), 0);
}

void understand(reader read)
{
    steno_status status = read(&request, message.data, message.size, &error);
    ck_assert_msg(status == STENO_OK, "%s", error.message);
}

void refuse(reader read, const char *field)
{
    steno_status status = read(&request, message.data, message.size, &error);
    ck_assert_int_eq(status, STENO_ERROR_ARGUMENT);
    ck_assert_int_eq(error.status, STENO_ERROR_ARGUMENT);
    ck_assert_msg(
        strncmp(error.message, field, strlen(field)) == 0, "%s: %s", field, error.message);
}

void wrap(void)
{
    streaming.size = message.size = 0;
    bytes_message(&streaming, 1, &config);
    bytes_message(&message, 1, &streaming);
}

void basic(void)
{
    config.size = 0;
    bytes_number(&config, 1, 1);
    bytes_number(&config, 2, 16000);
    bytes_text(&config, 3, "en-US");
}
