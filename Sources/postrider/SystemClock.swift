// Where a build that has Dispatch anywhere finds `timespec`.
import CDispatch
import Engine
import Glibc
import WorkflowModel

/// The machine's wall clock.
struct SystemClock: WallClock {
    func now() -> Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(microseconds: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000)
    }

    func sleep(until time: Timestamp) async throws {
        let distance = time.microseconds - now().microseconds
        try await Task.sleep(for: .microseconds(max(0, distance)))
    }
}
