/* node captions.js CHROMIUM PORT SCENE PICTURES [TOKEN]: reads captions in a browser as people would, and
 * prints what came of it as the last line, JSON.  What captures are to hear stands in lines
 * {"say": [...]}, after each of which it waits for a line. */
"use strict";
const fs = require("node:fs");
const path = require("node:path");
const readline = require("node:readline");
const { chromium } = require("playwright-core");

const [executablePath, port, scene, pictures, token] = process.argv.slice(2);
const origin = `http://127.0.0.1:${port}`;
const answers = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();

async function say(...words) {
    console.log(JSON.stringify({ say: words }));
    await answers.next();
}

const seen = { messages: [], strangers: [] };
/* What the browser itself says in this scene, whenever it comes to. */
let natural = null;

/* A page that is watched: whatever it says, wherever it goes. */
async function open(browser, address, { width = 1280, height = 720, ...options } = {}) {
    const context = await browser.newContext({ viewport: { width, height }, colorScheme: "dark", ...options });
    const page = await context.newPage();
    page.setDefaultTimeout(120000);
    page.on("console", (message) => seen.messages.push(message.text()));
    page.on("pageerror", (error) => seen.messages.push(String(error)));
    page.on("request", (request) => {
        if (!request.url().startsWith(`${origin}/captions`) && !request.url().startsWith("data:"))
            seen.strangers.push(request.url());
    });
    await page.goto(origin + address);
    return page;
}

const shown = (page) => page.locator("#finals").evaluate((finals) =>
    [...finals.children].map((line) => line.textContent.trim()));
const until = (page, text) => page.waitForFunction((wanted) =>
    document.getElementById("finals").textContent.includes(wanted), text);
const statusBecomes = (page, text) => page.waitForFunction((wanted) =>
    document.getElementById("state").textContent.includes(wanted), text);
const styleOf = (page, selector, name) =>
    page.locator(selector).evaluate((element, key) => getComputedStyle(element)[key], name);
const picture = (page, name, options) => page.screenshot({ path: path.join(pictures, `${name}.png`), ...options });

const scenes = {
    async live(browser) {
        const page = await open(browser, "/captions/desk");
        seen.title = await page.title();
        await say("status", "desk", 1, "A microphone", "");
        await statusBecomes(page, "Listening");
        await say("final", "desk", 1000, "good morning everybody and welcome");
        await say("final", "desk", 5000, "it is good to see so many of you today");
        await say("interim", "desk", 3, "and this is what is being set");
        await page.waitForFunction(() => document.getElementById("unsettled").textContent.includes("being set"));
        seen.settled = await page.locator("#settled").textContent();
        seen.unsettled = await page.locator("#unsettled").textContent();
        seen.colours = await Promise.all(["#finals p", "#unsettled", "#view"].map((selector) =>
            styleOf(page, `${selector} >> nth=0`, "color")));
        seen.paper = await styleOf(page, "body", "backgroundColor");
        seen.live = await page.locator("#finals").getAttribute("aria-live");
        seen.interimHidden = await page.locator("#interim").getAttribute("aria-hidden");
        await picture(page, "dark");
        await say("final", "desk", 9000, "and this is what is being said");
        await until(page, "being said");
        seen.lines = await shown(page);
        seen.interimGone = await page.locator("#interim").isHidden();

        /* Paused, by a button; on again, by a key. */
        await page.getByRole("button", { name: "Pause" }).click();
        await say("final", "desk", 12000, "nobody sees this yet");
        await statusBecomes(page, "Paused, 1 new");
        seen.paused = await shown(page);
        await page.keyboard.press("p");
        await until(page, "nobody sees this yet");
        seen.resumed = await shown(page);
        await statusBecomes(page, "Listening");

        /* The size, which lasts. */
        const size = async () => Number.parseFloat(await styleOf(page, "#view", "fontSize"));
        seen.sizes = [await size()];
        await page.getByRole("button", { name: "Larger text" }).click();
        seen.sizes.push(await size());
        await page.keyboard.press("+");
        seen.sizes.push(await size());
        await page.getByRole("button", { name: "Smaller text" }).click();
        seen.sizes.push(await size());
        await page.keyboard.press("t");
        seen.theme = await styleOf(page, "body", "backgroundColor");
        await page.reload();
        await until(page, "nobody sees this yet");
        seen.sizes.push(await size());
        seen.themeKept = await styleOf(page, "body", "backgroundColor");
        seen.reloaded = await shown(page);
        await picture(page, "light");

        /* All of it by keyboard. */
        seen.stops = [];
        for (let i = 0; i < 10; i++) {
            await page.keyboard.press("Tab");
            seen.stops.push(await page.evaluate(() => {
                const here = document.activeElement;
                return here.getAttribute("aria-label") ?? here.textContent;
            }));
        }

        /* Files. */
        seen.files = {};
        for (const name of ["Save as text", "Save as SRT subtitles", "Save as WebVTT subtitles"]) {
            const coming = page.waitForEvent("download");
            await page.getByRole("link", { name }).click();
            const download = await coming;
            seen.files[download.suggestedFilename()] = fs.readFileSync(await download.path(), "utf8");
        }

        /* Who reads what was said before stays there. */
        for (let i = 0; i < 30; i++)
            await say("final", "desk", 20000 + 1000 * i, `line ${i} of a long speech`);
        await until(page, "line 29");
        await page.locator("#view").evaluate((view) => { view.scrollTop = 0; });
        await page.getByRole("button", { name: "Newest" }).waitFor();
        await say("final", "desk", 60000, "this comes below");
        await until(page, "this comes below");
        seen.scrolled = await page.locator("#view").evaluate((view) => view.scrollTop);
        await page.getByRole("button", { name: "Newest" }).click();
        seen.atEnd = await page.locator("#view").evaluate((view) =>
            view.scrollHeight - view.scrollTop - view.clientHeight);
        seen.wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);

        await say("status", "desk", 2, "A microphone", "it was unplugged");
        await statusBecomes(page, "No sound, trying again: it was unplugged");
        await picture(page, "trouble");
    },

    async looks(browser) {
        await say("status", "desk", 1, "A microphone", "");
        await say("final", "desk", 1000, "good morning everybody and welcome to all of you who came");
        await say("final", "desk", 5000, "it is good to see so many of you here today");
        await say("interim", "desk", 3, "and this is what is being set");

        const phone = await open(browser, "/captions/desk", { width: 390, height: 800 });
        await until(phone, "here today");
        seen.phoneWide = await phone.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        seen.smallest = await phone.evaluate(() => Math.min(...[...document.querySelectorAll("button, .button")]
            .map((one) => one.getBoundingClientRect()).filter((box) => box.width > 0)
            .map((box) => Math.min(box.width, box.height))));
        await picture(phone, "phone");

        const over = await open(browser,
            "/captions/desk?transparent=1&lines=2&align=center&hide-controls=1&recent=9", { height: 240 });
        await until(over, "here today");
        await over.waitForFunction(() => !document.getElementById("interim").hidden);
        seen.clear = [await styleOf(over, "html", "backgroundColor"), await styleOf(over, "body", "backgroundColor")];
        seen.bars = await over.locator("#top, #controls").evaluateAll((all) =>
            all.filter((one) => getComputedStyle(one).display !== "none").length);
        seen.rows = await over.locator("#view").evaluate((view) =>
            view.clientHeight / Number.parseFloat(getComputedStyle(view).fontSize) / 1.4);
        const bottom = () => over.locator("#interim").evaluate((interim) =>
            document.getElementById("view").getBoundingClientRect().bottom - interim.getBoundingClientRect().bottom);
        seen.bottom = await bottom();
        await over.addStyleTag({ content: "" }).then(() => { seen.styled = true; }, () => { seen.styled = false; });
        seen.messages = [];
        await over.evaluate(() => {
            const sheet = new CSSStyleSheet();
            sheet.replaceSync("html { background: linear-gradient(90deg, #22aa77, #ee5522, #3377dd, #eeeeee) !important; }");
            document.adoptedStyleSheets = [sheet];
        });
        await picture(over, "transparent");

        const plain = await open(browser, "/captions/desk?lines=1&interim=0&theme=light&size=200&clear=1");
        await say("interim", "desk", 1, "not shown");
        await say("final", "desk", 9000, "shown for a moment");
        await plain.waitForFunction(() => document.documentElement.classList.contains("empty"));
        seen.plain = [await styleOf(plain, "body", "backgroundColor"), await plain.locator("#settled").textContent()];

        const index = await open(browser, "/captions", { height: 400 });
        await picture(index, "index");
        seen.list = await index.getByRole("link").allTextContents();
        await index.getByRole("link").first().click();
        await until(index, "shown for a moment");
        await index.getByRole("link", { name: "All captures" }).click();
        await index.getByRole("heading", { name: "Captions" }).waitFor();

        const still = await open(browser, "/captions/desk", { reducedMotion: "reduce" });
        await until(still, "shown for a moment");
        seen.still = await styleOf(still, "#lamp", "animationName");
    },

    /* The daemon goes away and comes back; the page goes on. */
    async back(browser) {
        /* Of a server that is away. */
        natural = /Failed to load resource|ERR_/;
        const page = await open(browser, "/captions/desk");
        await say("final", "desk", 1000, "before it went");
        await until(page, "before it went");
        await say("restart");
        await say("final", "desk", 1000, "after it came back");
        await until(page, "after it came back");
        seen.lines = await shown(page);
        await say("close and drain");
        await statusBecomes(page, "No room for another reader now");
        await say("restart");
        await say("final", "desk", 2000, "and again");
        await until(page, "and again");
        await statusBecomes(page, "Starting");
        seen.last = await shown(page);
    },

    async tokens(browser) {
        natural = /401/;
        const page = await open(browser, "/captions/desk?size=50");
        seen.asked = await page.getByRole("heading").textContent();
        await picture(page, "token");
        await page.getByLabel("Token").fill("wrong");
        await page.getByRole("button", { name: "Show captions" }).click();
        await page.getByText("This token is not valid.").waitFor();
        await page.getByLabel("Token").fill(token);
        await page.keyboard.press("Enter");
        await say("final", "desk", 1000, "only for those who may");
        await until(page, "only for those who may");
        seen.address = page.url().slice(origin.length);
        seen.cookie = (await page.context().cookies()).map(({ name, httpOnly, sameSite, path: where }) =>
            ({ name, httpOnly, sameSite, path: where }));
        seen.scripts = await page.evaluate(() => document.cookie);

        const other = await open(browser, `/captions/desk?lines=2&recent=5#token=${token}`);
        await until(other, "only for those who may");
        seen.handed = other.url().slice(origin.length);

        await say("revoke");
        for (const one of [page, other])
            await one.getByRole("heading", { name: "A token is needed" }).waitFor();
    },

    /* Of a microphone, which goes away and comes back. */
    async microphone(browser) {
        const page = await open(browser, "/captions/hall");
        await statusBecomes(page, "Listening");
        await say("speak");
        await page.waitForFunction(() => document.getElementById("finals").childElementCount > 0);
        await say("unplug");
        await statusBecomes(page, "No sound, trying again");
        seen.lines = await shown(page);
        await picture(page, "unplugged");
        await say("plug");
        await statusBecomes(page, "Listening");
    },

    /* Of a real capture: what it hears, until it has ended. */
    async real(browser) {
        const page = await open(browser, "/captions/film");
        /* A slow browser may come when all is over. */
        await page.waitForFunction(() => document.getElementById("text").textContent.trim() !== "");
        await picture(page, "real");
        await statusBecomes(page, "Ended");
        seen.lines = await shown(page);
    },
};

(async () => {
    const browser = await chromium.launch({
        executablePath,
        args: ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
            "--disable-component-update", "--disable-sync"],
        timeout: 180000,
    });
    await scenes[scene](browser);
    await browser.close();
    seen.messages = seen.messages.filter((text) => !natural?.test(text));
    console.log(JSON.stringify(seen));
    process.exit(0);
})().catch((error) => {
    console.error(error);
    process.exit(1);
});
