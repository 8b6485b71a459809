#include "reload.h"

#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"
#include "settings/config.h"
#include "system/systemd.h"

struct reload {
    reload_setting setting;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;

    /* Under the mutex. */
    bool is_wanted, is_ending;
};

/* What was changed in the settings to no avail. */
static void warn_of_fixed(const reload *self, const daemon_options *options)
{
    const option_entry *entry = NULL;
    while ((entry = options_next_fixed(self->setting.options, options, entry)) != NULL)
        log_say(self->setting.log, LOG_LEVEL_WARNING, "%s has changed, which needs a restart",
            entry->name);
    if (!capture_options_are_equal(&self->setting.options->captures, &options->captures))
        log_say(self->setting.log, LOG_LEVEL_WARNING,
            "the captures have changed, which needs a restart");
}

static steno_status reload_settings(const reload *self, steno_error *error)
{
    daemon_options options;
    steno_status status = options_init(&options);
    if (status < 0) {
        error_memory(error);
    } else {
        options.has_sockets = self->setting.options->has_sockets;
        status = config_read_all(&options, self->setting.argc, self->setting.argv, environ, error);
    }
    if (status == STENO_OK)
        status = parts_reload(self->setting.parts, &options, error);
    if (status == STENO_OK)
        warn_of_fixed(self, &options);
    options_finish(&options);
    return status;
}

static void run_once(const reload *self)
{
    steno_error error;
    systemd_reloading();
    steno_status status = reload_settings(self, &error);
    parts_count_reload(self->setting.parts, status == STENO_OK);
    if (status < 0) {
        log_say(self->setting.log, LOG_LEVEL_ERROR, "not reloaded, all is as before: %s",
            error.message);
        systemd_ready("Serving; the last reload failed");
    } else {
        log_say(self->setting.log, LOG_LEVEL_INFO, "reloaded");
        systemd_ready("Serving");
    }
}

static void *run(void *argument)
{
    reload *self = argument;
    pthread_mutex_lock(&self->mutex);
    while (!self->is_ending) {
        if (!self->is_wanted) {
            pthread_cond_wait(&self->changed, &self->mutex);
            continue;
        }
        self->is_wanted = false;
        pthread_mutex_unlock(&self->mutex);
        run_once(self);
        pthread_mutex_lock(&self->mutex);
    }
    pthread_mutex_unlock(&self->mutex);
    return NULL;
}

static void finish(reload *self)
{
    pthread_cond_destroy(&self->changed);
    pthread_mutex_destroy(&self->mutex);
    memory_free(self);
}

steno_status reload_create(const reload_setting *setting, reload **out_reload, steno_error *error)
{
    reload *self = memory_allocate(1, sizeof(*self));
    if (self == NULL)
        return error_memory(error);
    self->setting = *setting;
    pthread_mutex_init(&self->mutex, NULL);
    pthread_cond_init(&self->changed, NULL);
    int code = pthread_create(&self->thread, NULL, run, self);
    if (code != 0) {
        finish(self);
        return error_set(error, STENO_ERROR_IO, "can't start a thread: %s", strerror(code));
    }
    *out_reload = self;
    return STENO_OK;
}

void reload_request(reload *self)
{
    pthread_mutex_lock(&self->mutex);
    self->is_wanted = true;
    pthread_cond_signal(&self->changed);
    pthread_mutex_unlock(&self->mutex);
}

void reload_destroy(reload *self)
{
    if (self == NULL)
        return;
    pthread_mutex_lock(&self->mutex);
    self->is_ending = true;
    pthread_cond_signal(&self->changed);
    pthread_mutex_unlock(&self->mutex);
    pthread_join(self->thread, NULL);
    finish(self);
}
