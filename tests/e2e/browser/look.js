/* node look.js PAGE CHROMIUM SCHEME PICTURE: opens a page of steno inspect as its reader would, uses
 * it, and prints what came of it as JSON.  PICTURE: where to leave a screenshot. */
"use strict";
const { chromium } = require("playwright-core");

/* Texts that lie over each other, in a picture: pairs of them. */
function overlaps() {
    const found = [];
    for (const svg of document.querySelectorAll("svg.line")) {
        const texts = [...svg.querySelectorAll("text")].map((text) => [text.textContent, text.getBoundingClientRect()]);
        for (let i = 0; i < texts.length; i++)
            for (let j = 0; j < i; j++) {
                const [a, b] = [texts[i][1], texts[j][1]];
                const x = Math.min(a.right, b.right) - Math.max(a.left, b.left);
                const y = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
                if (x > 2 && y > 3)
                    found.push([texts[i][0], texts[j][0], x, y]);
            }
    }
    return found;
}

async function look([file, executablePath, colorScheme, picture]) {
    const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"], timeout: 180000 });
    const page = await browser.newPage({ viewport: { width: 1280, height: 900 }, colorScheme });
    page.setDefaultTimeout(60000);
    const seen = { messages: [], requests: [] };
    page.on("console", (message) => seen.messages.push(message.text()));
    page.on("pageerror", (error) => seen.messages.push(String(error)));
    page.on("request", (request) => seen.requests.push(request.url().split(":")[0]));
    await page.goto(`file://${file}`);
    await page.waitForFunction(() => document.getElementById("audio").readyState > 0);
    seen.duration = await page.evaluate(() => document.getElementById("audio").duration);
    seen.spectra = await page.evaluate(() =>
        [...document.querySelectorAll(".spectrogram")].map((image) => image.getAttribute("href").slice(0, 22)));
    seen.overlaps = await page.evaluate(overlaps);
    seen.paper = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    seen.wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);

    /* A click on the second half of the first picture seeks there, and the cursor follows. */
    const svg = page.locator("svg.line").first();
    const box = await svg.boundingBox();
    await svg.click({ position: { x: box.width / 2, y: 60 } });
    await page.waitForFunction(() => !document.getElementById("audio").seeking);
    await page.waitForFunction(() => document.querySelector(".cursor").style.display === "");
    seen.sought = await page.evaluate(() => document.getElementById("audio").currentTime);
    seen.expected = await svg.evaluate((line, width) => {
        const x = width / 2 / line.getBoundingClientRect().width * line.viewBox.baseVal.width;
        return (Number(line.dataset.from) + (x - line.dataset.left) / line.dataset.scale) / 1000;
    }, box.width);
    seen.readout = await page.evaluate(() => document.getElementById("readout").value);

    /* A word plays from where it begins. */
    const word = page.locator("button.heard").last();
    const from = Number(await page.locator("#frames").getAttribute("data-from"));
    seen.word = (Number(await word.getAttribute("data-start")) - from) / 1000;
    await word.click();
    await page.waitForFunction((start) => document.getElementById("audio").currentTime >= start, seen.word - 0.01);
    seen.playing = await page.evaluate(() => !document.getElementById("audio").error);
    await page.evaluate(() => { document.getElementById("audio").pause(); scrollTo(0, 0); });
    await page.screenshot({ path: picture, fullPage: true });

    await page.emulateMedia({ media: "print" });
    seen.printed = await page.evaluate(() => [
        getComputedStyle(document.body).backgroundColor, getComputedStyle(document.querySelector(".player")).display]);
    await browser.close();
    return seen;
}

look(process.argv.slice(2)).then(
    (seen) => console.log(JSON.stringify(seen)),
    (error) => {
        console.error(error);
        process.exit(1);
    });
