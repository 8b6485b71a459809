/* Shows a capture's captions while they come (daemon/captions/feed.h has the events).  The address
 * may say how: transparent=1, lines=N, size=PERCENT, theme=dark|light, align=center, clear=SECONDS,
 * interim=0, recent=N, hide-controls=1. */
"use strict";
(() => {
    const LINES_KEPT = 500, SILENCE_MS = 40000, RETRY_MS = 5000, IDLE_MS = 3000;
    const SCALES = [0.5, 0.6, 0.7, 0.85, 1, 1.15, 1.35, 1.6, 1.9, 2.25, 2.7, 3.2];
    const get = (id) => document.getElementById(id);
    const root = document.documentElement, view = get("view"), finals = get("finals"), interim = get("interim");
    const asked = new URLSearchParams(location.search);
    const isOn = (name) => asked.has(name) && !["0", "no", "false"].includes(asked.get(name));
    const number = (name, low, high, preset) => {
        const value = Number.parseFloat(asked.get(name));
        return Number.isFinite(value) ? Math.min(high, Math.max(low, value)) : preset;
    };

    /* What a browser keeps of its reader's wishes, where it keeps anything. */
    function recall(key) {
        try {
            return localStorage.getItem(`steno-captions-${key}`);
        } catch {
            return null;
        }
    }
    function keep(key, value) {
        try {
            localStorage.setItem(`steno-captions-${key}`, value);
        } catch {
            /* It holds until the page is closed. */
        }
    }

    /* ---- Looks ---- */

    const transparent = isOn("transparent");
    const rolling = Math.round(number("lines", 0, 20, transparent ? 3 : 0));
    const clearAfter = number("clear", 0, 3600, 0);
    const showsInterim = !asked.has("interim") || isOn("interim");
    root.classList.toggle("transparent", transparent);
    root.classList.toggle("bare", isOn("hide-controls"));
    root.classList.toggle("centred", asked.get("align") === "center");
    root.classList.toggle("rolling", rolling > 0);
    root.classList.add("empty");
    root.style.setProperty("--lines", rolling);

    let scale = 1;
    function setScale(value) {
        scale = value;
        const pinned = isPinned();
        root.style.setProperty("--scale", scale);
        get("smaller").disabled = scale <= SCALES[0];
        get("larger").disabled = scale >= SCALES[SCALES.length - 1];
        if (pinned)
            goToNewest();
    }
    function resize(direction) {
        const next = direction > 0 ? SCALES.find((step) => step > scale + 0.001)
            : SCALES.slice().reverse().find((step) => step < scale - 0.001);
        setScale(direction === 0 ? 1 : next ?? scale);
        keep("size", scale);
    }

    function setTheme(theme) {
        root.dataset.theme = theme;
        get("theme").textContent = theme === "dark" ? "Light" : "Dark";
    }
    function switchTheme() {
        setTheme(root.dataset.theme === "dark" ? "light" : "dark");
        keep("theme", root.dataset.theme);
    }

    /* ---- The text ---- */

    let isPaused = false, waiting = [], lastFinal = 0, clearing = 0;

    function isPinned() {
        return view.scrollHeight - view.scrollTop - view.clientHeight < 48;
    }
    function goToNewest() {
        view.scrollTop = view.scrollHeight;
        get("newest").hidden = true;
    }

    /* Changes the text so that what is read stays where it is: at the end, or further up. */
    function change(what) {
        const pinned = isPinned();
        what();
        const isEmpty = finals.childElementCount === 0 && interim.hidden;
        get("nothing").hidden = !isEmpty;
        root.classList.toggle("empty", isEmpty);
        if (pinned)
            goToNewest();
        clearTimeout(clearing);
        if (clearAfter > 0)
            clearing = setTimeout(clear, clearAfter * 1000);
    }
    function clear() {
        finals.replaceChildren();
        root.classList.toggle("empty", interim.hidden);
    }

    function addLine(text, kind) {
        const line = document.createElement("p");
        line.className = kind;
        /* The space is for lines that run on. */
        line.textContent = `${text} `;
        finals.append(line);
        while (finals.childElementCount > LINES_KEPT)
            finals.firstElementChild.remove();
    }
    function setInterim(settled, unsettled) {
        get("settled").textContent = settled;
        get("unsettled").textContent = (settled && unsettled ? " " : "") + unsettled;
        interim.hidden = !settled && !unsettled;
    }

    function add(text, kind) {
        if (isPaused) {
            waiting.push([text, kind]);
            waiting.splice(0, waiting.length - LINES_KEPT);
            showStatus();
            return;
        }
        change(() => {
            addLine(text, kind);
            setInterim("", "");
        });
    }

    function pause(wanted) {
        isPaused = wanted;
        get("pause").setAttribute("aria-pressed", String(isPaused));
        get("pause").textContent = isPaused ? "Go on" : "Pause";
        if (!isPaused) {
            const missed = waiting;
            waiting = [];
            change(() => {
                missed.forEach(([text, kind]) => addLine(text, kind));
                setInterim("", "");
            });
            goToNewest();
        }
        showStatus();
    }

    /* ---- How it goes ---- */

    const connection = { text: "Connecting…", capture: null };

    function describe() {
        if (connection.text)
            return ["trouble", connection.text];
        const { state, reason } = connection.capture ?? { state: "STARTING", reason: "" };
        if (state === "LISTENING")
            return ["listening", "Listening"];
        if (state === "WAITING")
            return ["trouble", reason ? `No sound, trying again: ${reason}` : "No sound, trying again"];
        if (state === "ENDED")
            return ["ended", reason ? `Ended: ${reason}` : "Ended"];
        return ["starting", "Starting…"];
    }
    function showStatus() {
        let [state, text] = describe();
        if (isPaused) {
            const count = waiting.length;
            text = count > 0 ? `Paused, ${count} new` : "Paused";
            state = "paused";
        }
        root.dataset.state = state;
        if (get("state").textContent !== text)
            get("state").textContent = text;
        get("status").title = connection.capture?.device ?? "";
    }
    function setConnection(text) {
        connection.text = text;
        showStatus();
    }

    /* ---- Events ---- */

    const events = `${location.pathname}/events`;
    const recent = Math.round(number("recent", 0, 1000, rolling > 0 ? 0 : 50));
    let source = null, lastId = "", silence = 0;

    function heard(event) {
        if (event.lastEventId)
            lastId = event.lastEventId;
        clearTimeout(silence);
        silence = setTimeout(connect, SILENCE_MS);
        return JSON.parse(event.data);
    }

    const handlers = {
        status(event) {
            connection.capture = heard(event);
            showStatus();
        },
        interim(event) {
            const { settled, unsettled } = heard(event);
            if (!isPaused && showsInterim && (!interim.hidden || settled || unsettled))
                change(() => setInterim(settled, unsettled));
        },
        final(event) {
            const { text } = heard(event);
            const id = Number(event.lastEventId);
            if (id > lastFinal) {
                lastFinal = id;
                add(text, "final");
            }
        },
        gap(event) {
            heard(event);
            add("(some of what was said is missing here)", "gap");
        },
        /* The first says that all that was there has come: only what is new is to be read out. */
        beat(event) {
            heard(event);
            finals.setAttribute("aria-live", "polite");
        },
    };

    function connect() {
        source?.close();
        clearTimeout(silence);
        silence = setTimeout(connect, SILENCE_MS);
        source = new EventSource(`${events}?${lastId ? `after=${lastId}` : `recent=${recent}`}`);
        source.addEventListener("open", () => setConnection(""));
        source.addEventListener("error", lose);
        for (const [name, handler] of Object.entries(handlers))
            source.addEventListener(name, handler);
    }

    /* The browser tries again by itself, unless it was refused. */
    function lose() {
        setConnection(connection.capture ? "Reconnecting…" : "Connecting…");
        if (!interim.hidden && !isPaused)
            change(() => setInterim("", ""));
        finals.setAttribute("aria-live", "off");
        if (source.readyState !== EventSource.CLOSED)
            return;
        clearTimeout(silence);
        silence = setTimeout(connect, RETRY_MS);
        fetch(events, { method: "HEAD", cache: "no-store" }).then(({ status }) => {
            if (status === 401)
                location.reload();
            else if (status === 503)
                setConnection("No room for another reader now, trying again…");
            else if (status === 404)
                setConnection("There is no such capture any more");
        }, () => { /* Nobody is there yet. */ });
    }

    /* ---- Controls ---- */

    const actions = {
        p: () => pause(!isPaused),
        "+": () => resize(1),
        "=": () => resize(1),
        "-": () => resize(-1),
        "0": () => resize(0),
        t: switchTheme,
        f: switchFull,
    };
    document.addEventListener("keydown", (event) => {
        const action = actions[event.key.toLowerCase()];
        if (!action || event.ctrlKey || event.altKey || event.metaKey)
            return;
        event.preventDefault();
        action();
    });
    get("pause").addEventListener("click", actions.p);
    get("larger").addEventListener("click", actions["+"]);
    get("smaller").addEventListener("click", actions["-"]);
    get("theme").addEventListener("click", actions.t);
    get("full").addEventListener("click", actions.f);
    get("newest").addEventListener("click", goToNewest);
    view.addEventListener("scroll", () => { get("newest").hidden = isPinned(); }, { passive: true });
    new ResizeObserver(() => {
        if (get("newest").hidden)
            goToNewest();
    }).observe(view);

    /* ---- Full screen ---- */

    let idle = 0;
    get("full").hidden = !document.fullscreenEnabled;
    function switchFull() {
        if (document.fullscreenElement)
            document.exitFullscreen();
        else if (document.fullscreenEnabled)
            root.requestFullscreen();
    }
    function stir() {
        clearTimeout(idle);
        root.classList.remove("idle");
        if (document.fullscreenElement)
            idle = setTimeout(() => root.classList.add("idle"), IDLE_MS);
    }
    for (const name of ["pointermove", "pointerdown", "keydown", "focusin", "fullscreenchange"])
        document.addEventListener(name, stir, { passive: true });

    /* A screen that only shows captions shall not go dark. */
    function stayAwake() {
        if (document.visibilityState === "visible")
            navigator.wakeLock?.request("screen").catch(() => {});
    }
    document.addEventListener("visibilitychange", stayAwake);

    /* ---- The beginning ---- */

    const preferred = matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark";
    const theme = asked.get("theme") ?? recall("theme");
    setTheme(theme === "dark" || theme === "light" ? theme : preferred);
    const kept = Number.parseFloat(recall("size"));
    setScale(asked.has("size") ? number("size", 20, 1000, 100) / 100 : SCALES.includes(kept) ? kept : 1);
    showStatus();
    stayAwake();
    connect();
})();
