/* Sends the token, and comes back to the very address that was asked for.  A token may also stand
 * behind a # of the address (#token=TOKEN), which browsers send nowhere: for those that have no
 * keyboard, as in OBS. */
"use strict";
(() => {
    const here = location.pathname + location.search;
    const message = document.getElementById("message");

    async function send(token) {
        const response = await fetch(location.pathname, {
            method: "POST",
            body: new URLSearchParams({ token }),
            redirect: "manual",
        });
        /* A redirection that is not followed shows no status. */
        if (response.type === "opaqueredirect")
            location.replace(here);
        else
            message.textContent = "This token is not valid.";
    }

    document.querySelector("form").addEventListener("submit", (event) => {
        event.preventDefault();
        send(document.getElementById("token").value.trim())
            .catch(() => { message.textContent = "The service does not answer."; });
    });

    const given = new URLSearchParams(location.hash.slice(1)).get("token");
    if (given)
        send(given).catch(() => {});
    else
        /* Who comes by a link of another site's page has shown no cookie yet. */
        fetch(here, { method: "HEAD" }).then(({ ok }) => ok && location.replace(here), () => {});
})();
