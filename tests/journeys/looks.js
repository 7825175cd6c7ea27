// Everything of a page that can be told without eyes, run in it: a list of problems, each a sentence.
() => {
    const problems = []
    const page = document.scrollingElement
    if (page.scrollWidth > page.clientWidth) {
        const wide = [...document.querySelectorAll("main *, #main *")]
            .filter((node) => node.getBoundingClientRect().right > page.clientWidth + 1).slice(0, 3)
        problems.push(`scrolls sideways: ${page.scrollWidth} > ${page.clientWidth} (${wide.map((n) => n.outerHTML.slice(0, 120))})`)
    }

    const area = document.querySelector("#main") ?? document.querySelector("main")
    const isShown = (node) => node.checkVisibility({opacityProperty: true, visibilityProperty: true})
    const shown = (node, rect) => {
        let [left, top, right, bottom] = [rect.left, rect.top, rect.right, rect.bottom]
        for (let outer = node.parentElement; outer && outer !== document.body; outer = outer.parentElement) {
            if (getComputedStyle(outer).overflow === "visible") continue
            const edge = outer.getBoundingClientRect()
            left = Math.max(left, edge.left), right = Math.min(right, edge.right)
            top = Math.max(top, edge.top), bottom = Math.min(bottom, edge.bottom)
        }
        return {left, top, right, bottom}
    }
    const floats = (node) => {
        for (let outer = node; outer; outer = outer.parentElement) {
            if (["fixed", "sticky"].includes(getComputedStyle(outer).position)) return true
        }
        return false
    }
    const label = (node) => (node.innerText || node.value || node.placeholder || node.ariaLabel || node.name || "").trim()
    const boxes = []
    for (const node of area.querySelectorAll("a, button, input, select, textarea, summary, .select2-selection")) {
        // What floats, such as the bar with the buttons, lies on what is scrolled beneath it.
        if (!isShown(node) || !label(node) || node.type === "hidden" || floats(node)) continue
        for (const rect of node.getClientRects()) {
            const box = shown(node, rect)
            if (box.right - box.left > 2 && box.bottom - box.top > 2) boxes.push([node, box])
        }
    }
    boxes.forEach(([a, one], place) => {
        for (const [b, two] of boxes.slice(place + 1)) {
            if (a.contains(b) || b.contains(a)) continue
            const width = Math.min(one.right, two.right) - Math.max(one.left, two.left)
            const height = Math.min(one.bottom, two.bottom) - Math.max(one.top, two.top)
            if (width > 1 && height > 1) problems.push(`“${label(a)}” lies on “${label(b)}”`)
        }
    })

    for (const node of area.querySelectorAll("td, th, dd, li, p, h1, h2, span")) {
        const hides = getComputedStyle(node).overflowY !== "visible" && node.clientHeight > 2
        if (hides && isShown(node) && node.scrollHeight > node.clientHeight + 2) {
            problems.push(`cut off: “${label(node).slice(0, 60)}”`)
        }
    }

    // A glyph that the font has not is spelled out, and is wider than it is high.
    for (const icon of document.querySelectorAll(".material-symbols-outlined")) {
        const box = icon.getBoundingClientRect()
        if (isShown(icon) && box.width > 1.3 * parseFloat(getComputedStyle(icon).fontSize)) {
            problems.push(`no such icon: ${icon.innerText}`)
        }
    }

    const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true})
    canvas.canvas.width = canvas.canvas.height = 1
    const seen = new Map()
    const rgba = (colour) => {
        if (!seen.has(colour)) {
            canvas.clearRect(0, 0, 1, 1)
            canvas.fillStyle = colour
            canvas.fillRect(0, 0, 1, 1)
            seen.set(colour, [...canvas.getImageData(0, 0, 1, 1).data].map((part, place) => place < 3 ? part : part / 255))
        }
        return seen.get(colour)
    }
    const over = (top, below, opacity = 1) => {
        const share = top[3] * opacity
        return [0, 1, 2].map((place) => top[place] * share + below[place] * (1 - share))
    }
    const behind = (node) => {
        if (!node) return matchMedia("(prefers-color-scheme: dark)").matches ? [0, 0, 0] : [255, 255, 255]
        const colour = rgba(getComputedStyle(node).backgroundColor)
        return colour[3] === 1 ? colour.slice(0, 3) : over(colour, behind(node.parentElement))
    }
    const light = (colour) => {
        const [red, green, blue] = colour.map((part) => part / 255)
            .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue
    }
    for (const node of area.querySelectorAll("*")) {
        const own = [...node.childNodes].filter((child) => child.nodeType === 3).map((child) => child.data.trim()).join("")
        const isDisabled = node.closest("[disabled], [aria-disabled=true], option, script, style")
        if (!own || isDisabled || !isShown(node) || !node.getClientRects().length) continue
        const style = getComputedStyle(node)
        let opacity = 1
        for (let outer = node; outer; outer = outer.parentElement) opacity *= getComputedStyle(outer).opacity
        const ground = behind(node)
        const [a, b] = [light(over(rgba(style.color), ground, opacity)), light(ground)]
        const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)
        const size = parseFloat(style.fontSize)
        const isLarge = size >= 24 || (size >= 18.6 && style.fontWeight >= 700)
        const least = isLarge || node.matches(".material-symbols-outlined") ? 3 : 4.5
        if (contrast < least - 0.05) problems.push(`hard to read (${contrast.toFixed(1)}): “${own.slice(0, 40)}”`)
    }
    return [...new Set(problems)]
}
