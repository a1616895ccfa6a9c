// Renders a template with swift-mustache for some seconds.
//
//     render-mustache TEMPLATE DATA SECONDS OUTPUT
//
// Prints how many renderings took how many seconds; the rendered mail is in OUTPUT.

import Foundation
import Mustache

let arguments = CommandLine.arguments
let template = try MustacheTemplate(string: String(contentsOfFile: arguments[1], encoding: .utf8))

/// Swift's own values, as a program would hand them over.
struct Plain: Decodable {
    let value: Any

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let flag = try? container.decode(Bool.self) {
            value = flag
        } else if let number = try? container.decode(Int.self) {
            value = number
        } else if let text = try? container.decode(String.self) {
            value = text
        } else if let list = try? container.decode([Plain].self) {
            value = list.map(\.value)
        } else {
            value = try container.decode([String: Plain].self).mapValues(\.value)
        }
    }
}
let data = try JSONDecoder().decode(Plain.self, from: Data(contentsOf: URL(fileURLWithPath: arguments[2]))).value
try template.render(data).write(toFile: arguments[4], atomically: true, encoding: .utf8)
let clock = ContinuousClock()
let start = clock.now
var count = 0
while clock.now - start < .seconds(Double(arguments[3]) ?? 1) {
    for _ in 0..<20 { _ = template.render(data) }
    count += 20
}
print("\(count) \((clock.now - start) / .seconds(1))")
