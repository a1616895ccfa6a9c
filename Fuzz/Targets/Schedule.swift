import FuzzKit
import JSONValue
import WorkflowModel

/// When a schedule fires and when mail may leave: a cron expression, NUL, a start in seconds, NUL, JSON of a send window
/// or of a trigger. What is taken fires in order, on a whole minute, in a zone that moves its clock every few days.
@_cdecl("LLVMFuzzerTestOneInput")
package func fuzzSchedule(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var input = FuzzInput(start, count)
    let text = input.text(to: 0)
    let begin = Timestamp(seconds: 0).adding(seconds: Int64(input.text(to: 0)) ?? 1_800_000_000)
    let json = (try? JSONParser.parse(input.bytes())) ?? .null
    fire(text, begin)
    read(json, begin)
    return 0
}

private func fire(_ text: String, _ begin: Timestamp) {
    do {
        let cron = try CronExpression(text)
        expect(text.utf8.count <= CronExpression.lengthLimit, "the length is limited")
        expect((try? CronExpression(cron.text)) == cron, "what is kept is read again")
        for zone in ["UTC", "shaky"] {
            var time = begin
            for _ in 0..<5 {
                guard let next = cron.next(after: time, zone: zone, rules: ShakyZones()) else { break }
                expect(next > time, "time goes on")
                expect(next.microseconds % 60_000_000 == 0, "it fires on a minute")
                let between = Timestamp(microseconds: time.microseconds + (next.microseconds - time.microseconds) / 2)
                expect(
                    cron.next(after: between, zone: zone, rules: ShakyZones()) == next, "there is none before the next")
                time = next
            }
            let year: Range<Int64> = 0..<250_000_000_000_000_000
            if zone == "UTC", year.contains(begin.microseconds) {
                expect(time > begin, "it can fire: \(text)")
            }
        }
    } catch {
        expect(!error.description.isEmpty, "a refusal has words")
        expect(!hasControl(error.description) || hasControl(text), "and none that it was not given")
    }
}

private func read(_ json: JSON, _ begin: Timestamp) {
    let (window, problems) = SendWindow.read(json, path: "window", zones: ShakyZones())
    expect((window == nil) == !problems.isEmpty, "a window or problems")
    expect(problems.allSatisfy { $0.path.hasPrefix("window") }, "a problem has its path")
    // The clock has no readings beyond what a time can be.
    let time = Timestamp(microseconds: min(max(begin.microseconds, -1_000_000_000_000_000), 250_000_000_000_000_000))
    if let window {
        expect(SendWindow.read(window.json, path: "w", zones: ShakyZones()).window == window, "it is read again")
        for zone in ["UTC", "shaky"] {
            let opened = window.earliest(notBefore: time, zone: zone, rules: ShakyZones())
            expect(opened >= time, "mail leaves no earlier")
            expect(opened <= time.adding(seconds: 15 * 86_400), "and within two weeks")
            expect(
                window.earliest(notBefore: opened, zone: zone, rules: ShakyZones()) == opened, "inside nothing moves")
        }
    }
    guard let object = json.objectValue else { return }
    let (trigger, refusals) = ScheduleTrigger.read(object, path: "trigger", zones: ShakyZones())
    expect((trigger == nil) == !refusals.isEmpty, "a trigger or problems")
    if let trigger {
        expect(ScheduleTrigger.read(trigger.json, path: "t", zones: nil).trigger == trigger, "it is read again")
    }
}

/// UTC, and a zone whose clock goes an hour forward and half an hour back by turns, every 10 days.
private struct ShakyZones: TimeZoneRules {
    func isKnown(_ zone: String) -> Bool { zone == "UTC" || zone == "shaky" }

    func offset(at time: Timestamp, zone: String) -> Int64? {
        guard isKnown(zone) else { return nil }
        guard zone == "shaky" else { return 0 }
        let period: Int64 = 864_000_000_000
        let number = time.microseconds / period - (time.microseconds % period < 0 ? 1 : 0)
        return [0, 3600, 1800, 5400][Int(((number % 4) + 4) % 4)]
    }
}
