import FuzzKit
import JSONValue
import Liquid

/// A template up to the first NUL, and its variables as JSON behind it. Rendering stays inside its limits, and nothing
/// that could end a header field leaves through `header`.
@_cdecl("LLVMFuzzerTestOneInput")
package func fuzzTemplate(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var input = FuzzInput(start, count)
    let source = input.text(to: 0)
    guard let template = try? Template(parsing: source) else { return 0 }
    let given = (try? JSONParser.parse(input.bytes()))?.objectValue
    var options = RenderOptions(escaping: .html, now: 1_700_000_000_000_000, partials: ["p": template])
    options.limits.outputBytes = 20_000
    options.limits.loopTurns = 500
    options.limits.work = 20_000
    options.limits.memoryBytes = 500_000
    options.limits.depth = 30
    for escaping in OutputEscaping.allCases {
        options.escaping = escaping
        guard let text = try? template.render(given ?? variables, options: options) else { continue }
        expect(text.utf8.count <= options.limits.outputBytes, "the output limit holds")
        if escaping == .header {
            let isControlled = text.unicodeScalars.contains { $0.properties.generalCategory == .control }
            expect(!isControlled, "no control character in a header")
        }
        expect((try? template.render(given ?? variables, options: options)) == text, "rendering is repeatable")
    }
    return 0
}

private let variables: JSONObject = [
    "a": ["x", 2, 3.5, nil, ["k": "v"]], "s": "Zoë <b>&amp;\r\n\u{1F469}\u{200D}\u{1F467}", "n": -7, "f": 1.5e300,
    "big": .int(.max), "small": .int(.min), "t": "2026-03-29T02:30:00+01:00", "u": 1_700_000_000, "b": false, "e": "",
    "contact": ["first name": "Ann", "email": "ann@example.org", "data": ["list": [["v": 1], ["v": "b"], 3]]],
]
