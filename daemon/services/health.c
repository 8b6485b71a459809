#include "services/health.h"

#include <stdint.h>

#include "base/error.h"
#include "base/memory.h"
#include "grpc/health/v1/health.pb-c.h"
#include "proto/message_memory.h"

/* A request holds one name. */
#define REQUEST_LIMIT_BYTES (64 << 10)

typedef Grpc__Health__V1__HealthCheckRequest check_request;
typedef Grpc__Health__V1__HealthCheckResponse check_response;
typedef Grpc__Health__V1__HealthCheckResponse__ServingStatus serving_status;

#define SERVING GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING
#define NOT_SERVING GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__NOT_SERVING
#define SERVICE_UNKNOWN GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVICE_UNKNOWN

/* One call of any of the three methods. */
typedef struct session {
    health *health;
    call *call;
    struct session *previous, *next; /* among those that watch */

    /* Watch only. */
    bool watches, knows_service;
    bool has_told;
    serving_status told;
} session;

enum { METHOD_CHECK, METHOD_WATCH, METHOD_LIST, METHOD_COUNT };

struct health {
    const service_names *names;
    serving_status status; /* of all that there is */
    session *watching;
    call_method methods[METHOD_COUNT];
    const call_method *table[METHOD_COUNT];
};

static void *begin(void *service, call *call_begun)
{
    session *self = memory_allocate(1, sizeof(*self));
    if (self == NULL) {
        call_finish(call_begun, CALL_RESOURCE_EXHAUSTED, "out of memory");
        return NULL;
    }
    self->health = service;
    self->call = call_begun;
    call_read(call_begun);
    return self;
}

static void end(void *session_ended)
{
    session *self = session_ended;
    if (self->watches) {
        if (self->previous != NULL)
            self->previous->next = self->next;
        else
            self->health->watching = self->next;
        if (self->next != NULL)
            self->next->previous = self->previous;
    }
    memory_free(self);
}

static void write_status(session *self, serving_status status)
{
    check_response response = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;
    response.status = status;
    uint8_t bytes[16];
    call_write(self->call, bytes, grpc__health__v1__health_check_response__pack(&response, bytes));
}

/* Parses the request into `memory`; NULL: the call has been finished. */
static check_request *parse(
    session *self, message_memory *memory, const uint8_t *bytes, size_t size)
{
    check_request *request =
        grpc__health__v1__health_check_request__unpack(&memory->allocator, size, bytes);
    if (request == NULL)
        call_finish(self->call, CALL_INVALID_ARGUMENT, "not a grpc.health.v1.HealthCheckRequest");
    return request;
}

static bool is_known(const health *self, const char *service)
{
    return service[0] == '\0' || service_names_has(self->names, service);
}

static void check_message(void *session_called, const uint8_t *bytes, size_t size)
{
    session *self = session_called;
    message_memory memory;
    message_memory_init(&memory, REQUEST_LIMIT_BYTES);
    check_request *request = parse(self, &memory, bytes, size);
    if (request != NULL && is_known(self->health, request->service)) {
        write_status(self, self->health->status);
        call_finish(self->call, CALL_OK, "");
    } else if (request != NULL) {
        call_finish(self->call, CALL_NOT_FOUND, "there is no such service");
    }
    message_memory_finish(&memory);
}

/* Tells what is so unless that has been told.  A client that fetches nothing is told the last
 * state once it does. */
static void tell(session *self)
{
    serving_status status = self->knows_service ? self->health->status : SERVICE_UNKNOWN;
    if (!call_can_write(self->call) || (self->has_told && self->told == status))
        return;
    write_status(self, status);
    self->has_told = true;
    self->told = status;
}

static void watch_message(void *session_called, const uint8_t *bytes, size_t size)
{
    session *self = session_called;
    message_memory memory;
    message_memory_init(&memory, REQUEST_LIMIT_BYTES);
    check_request *request = parse(self, &memory, bytes, size);
    if (request != NULL) {
        self->knows_service = is_known(self->health, request->service);
        self->watches = true;
        self->next = self->health->watching;
        if (self->next != NULL)
            self->next->previous = self;
        self->health->watching = self;
        tell(self);
    }
    message_memory_finish(&memory);
}

static void watch_ready(void *session_called)
{
    session *self = session_called;
    if (self->watches)
        tell(self);
}

/* The map from name to state, "" included, all states being the same. */
static void list_message(void *session_called, const uint8_t *bytes, size_t size)
{
    typedef Grpc__Health__V1__HealthListResponse__StatusesEntry list_entry;
    session *self = session_called;
    const service_names *names = self->health->names;
    size_t count = names->count + 1;
    check_response state = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;
    state.status = self->health->status;
    Grpc__Health__V1__HealthListResponse response = GRPC__HEALTH__V1__HEALTH_LIST_RESPONSE__INIT;
    list_entry *entries = memory_allocate(count, sizeof(*entries));
    list_entry **pointers = memory_allocate(count, sizeof(*pointers));
    uint8_t *packed = NULL;
    if (entries != NULL && pointers != NULL) {
        for (size_t i = 0; i < count; i++) {
            grpc__health__v1__health_list_response__statuses_entry__init(&entries[i]);
            entries[i].key = i == 0 ? (char *)"" : names->names[i - 1];
            entries[i].value = &state;
            pointers[i] = &entries[i];
        }
        response.statuses = pointers;
        response.n_statuses = count;
        packed =
            memory_allocate(grpc__health__v1__health_list_response__get_packed_size(&response), 1);
    }
    if (packed != NULL) {
        call_write(
            self->call, packed, grpc__health__v1__health_list_response__pack(&response, packed));
        call_finish(self->call, CALL_OK, "");
    } else {
        call_finish(self->call, CALL_RESOURCE_EXHAUSTED, "out of memory");
    }
    memory_free(packed);
    memory_free(pointers);
    memory_free(entries);
}

steno_status health_create(const service_names *names, health **out_health, steno_error *error)
{
    health *self = memory_allocate(1, sizeof(*self));
    if (self == NULL)
        return error_memory(error);
    self->names = names;
    self->status = SERVING;
    call_method common = {.service = self, .begin = begin, .end = end};
    for (size_t i = 0; i < METHOD_COUNT; i++) {
        self->methods[i] = common;
        self->table[i] = &self->methods[i];
    }
    self->methods[METHOD_CHECK].path = "/grpc.health.v1.Health/Check";
    self->methods[METHOD_CHECK].message = check_message;
    self->methods[METHOD_WATCH].path = "/grpc.health.v1.Health/Watch";
    self->methods[METHOD_WATCH].message = watch_message;
    self->methods[METHOD_WATCH].ready = watch_ready;
    self->methods[METHOD_LIST].path = "/grpc.health.v1.Health/List";
    self->methods[METHOD_LIST].message = list_message;
    *out_health = self;
    return STENO_OK;
}

size_t health_methods(health *self, const call_method *const **out_methods)
{
    *out_methods = self->table;
    return METHOD_COUNT;
}

void health_drain(health *self)
{
    self->status = NOT_SERVING;
    for (session *watcher = self->watching; watcher != NULL; watcher = watcher->next)
        tell(watcher);
}

void health_destroy(health *self)
{
    memory_free(self);
}
