import JSONValue

/// What a benchmark found, for the machine-readable last line.
struct BenchmarkResult {
    var value: Double
    var unit: String
    /// The other side of the comparison.
    var against: String
    /// `value` in relation to the other side; what the requirement is about.
    var ratio: Double
    /// Further figures by name.
    var more: [(String, Double)] = []

    func line(name: String) -> String {
        var object: JSONObject = [
            "benchmark": .string(name), "value": .double(Self.rounded(value)), "unit": .string(unit),
            "against": .string(against), "ratio": .double(Self.rounded(ratio)),
        ]
        for (key, value) in more { object[key] = .double(Self.rounded(value)) }
        return JSONWriter.write(.object(object))
    }

    private static func rounded(_ value: Double) -> Double { (value * 1000).rounded() / 1000 }
}

/// The middle of several measurements, which one disturbed run does not move.
func median(_ values: [Double]) -> Double {
    let sorted = values.sorted()
    guard !sorted.isEmpty else { return .nan }
    let middle = sorted.count / 2
    return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/// A measurement for people: few digits.
func short(_ value: Double) -> String { value >= 100 ? "\(Int(value.rounded()))" : "\((value * 100).rounded() / 100)" }
