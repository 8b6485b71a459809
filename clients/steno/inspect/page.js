"use strict";
(() => {
    const audio = document.getElementById("audio");
    const follow = document.getElementById("follow");
    const readout = document.getElementById("readout");
    const data = document.getElementById("frames");
    const from = Number(data.dataset.from);

    /* The lines of pictures, each with its time axis and a cursor of its own. */
    const lines = [...document.querySelectorAll("svg.line")].map((svg) => {
        const cursor = document.createElementNS(svg.namespaceURI, "path");
        cursor.setAttribute("class", "cursor");
        cursor.style.display = "none";
        svg.append(cursor);
        return {
            svg, cursor,
            from: Number(svg.dataset.from),
            to: Number(svg.dataset.to),
            left: Number(svg.dataset.left),
            scale: Number(svg.dataset.scale),
            frames: [...svg.querySelectorAll(".frames rect")],
        };
    });
    const words = [...document.querySelectorAll(".heard")].map((button) => ({
        button, start: Number(button.dataset.start), end: Number(button.dataset.end),
    }));

    /* Spectrograms: a byte for each bin of each frame, drawn in the colour of the theme. */
    const bins = Number(data.dataset.bins);
    const levels = Uint8Array.from(atob(data.textContent), (c) => c.charCodeAt(0));
    function drawSpectrogram(image) {
        const first = Number(image.dataset.first), count = Number(image.dataset.count);
        const ink = getComputedStyle(document.documentElement).getPropertyValue("--spectrum").split(",").map(Number);
        const canvas = document.createElement("canvas");
        canvas.width = count;
        canvas.height = bins;
        const context = canvas.getContext("2d");
        const picture = context.createImageData(count, bins);
        for (let frame = 0; frame < count; frame++)
            for (let bin = 0; bin < bins; bin++) {
                const at = 4 * ((bins - 1 - bin) * count + frame);
                picture.data.set(ink, at);
                picture.data[at + 3] = levels[(first + frame) * bins + bin];
            }
        context.putImageData(picture, 0, 0);
        image.setAttribute("href", canvas.toDataURL());
    }
    function drawAll() {
        document.querySelectorAll(".spectrogram").forEach(drawSpectrogram);
    }
    drawAll();
    for (const query of ["(prefers-color-scheme: dark)", "print"])
        matchMedia(query).addEventListener("change", drawAll);

    /* The moment, in milliseconds of the recording, everywhere it is shown. */
    let shownLine = null, shownWord = null;
    function show(ms, scroll) {
        const line = lines.find((l) => ms >= l.from && ms < l.to) || lines[lines.length - 1];
        if (!line)
            return;
        if (shownLine && shownLine !== line)
            shownLine.cursor.style.display = "none";
        const x = line.left + (Math.min(ms, line.to) - line.from) * line.scale;
        line.cursor.setAttribute("d", `M${x} 16V${line.svg.viewBox.baseVal.height}`);
        line.cursor.style.display = "";
        if (scroll && shownLine !== line)
            line.svg.scrollIntoView({ block: "start", behavior: "smooth" });
        shownLine = line;
        const word = words.find((w) => ms >= w.start && ms < w.end) || null;
        if (word !== shownWord) {
            shownWord?.button.classList.remove("now");
            word?.button.classList.add("now");
            shownWord = word;
        }
    }
    function tell(line, ms) {
        const share = (ms - line.from) / (line.to - line.from);
        const frame = line.frames[Math.floor(share * line.frames.length)];
        readout.value = frame ? frame.textContent : `${(ms / 1000).toFixed(2)} s`;
    }
    function now() {
        return from + 1000 * audio.currentTime;
    }
    function tick() {
        show(now(), follow.checked);
        if (shownLine)
            tell(shownLine, now());
        if (!audio.paused)
            requestAnimationFrame(tick);
    }
    audio.addEventListener("play", tick);
    audio.addEventListener("seeked", () => { if (audio.paused) tick(); });

    function seek(ms) {
        audio.currentTime = Math.max(0, ms - from) / 1000;
    }
    function pointedAt(line, event) {
        const box = line.svg.getBoundingClientRect();
        const x = (event.clientX - box.left) / box.width * line.svg.viewBox.baseVal.width;
        return Math.min(line.to - 1, Math.max(line.from, line.from + (x - line.left) / line.scale));
    }
    for (const line of lines) {
        line.svg.addEventListener("click", (event) => seek(pointedAt(line, event)));
        line.svg.addEventListener("pointermove", (event) => {
            if (audio.paused)
                tell(line, pointedAt(line, event));
        });
    }
    for (const word of words)
        word.button.addEventListener("click", () => {
            seek(word.start);
            audio.play();
        });
})();
