//! What a slab is computed in, and what takes it to the device and back.

#![expect(
    unsafe_code,
    reason = "pinned memory is given out with whatever is in it"
)]

use super::half::Half;
use super::slabs::{MAX_TILES, SLAB, tiles};
use candle_core::Result;
use candle_core::cuda_backend::cudarc::driver::{
    CudaEvent, CudaSlice, DeviceRepr, PinnedHostSlice, ValidAsZeroBits,
};
use candle_core::cuda_backend::{CudaDevice, WrapErr};

/// Threads that turn states into f32, and values that are worth one.
const READERS: usize = 4;
const CONVERTED: usize = 1 << 17;

/// Buffers of [`SLAB`] rows.
pub struct Buffers<T> {
    pub ids: CudaSlice<u32>,
    pub tiles: CudaSlice<i32>,
    pub x: CudaSlice<T>,
    /// Results of the products with `hidden` columns.
    pub y: CudaSlice<T>,
    pub attended: CudaSlice<T>,
    pub qkv: CudaSlice<T>,
    pub middle: CudaSlice<T>,
}

impl<T: Half> Buffers<T> {
    pub fn new(device: &CudaDevice, hidden: usize, middle: usize) -> Result<Self> {
        let rows = |width: usize| device.alloc_zeros::<T>(SLAB * width);
        let buffers = Self {
            ids: device.alloc_zeros(SLAB)?,
            tiles: device.alloc_zeros(MAX_TILES)?,
            x: rows(hidden)?,
            y: rows(hidden)?,
            attended: rows(hidden)?,
            qkv: rows(3 * hidden)?,
            middle: rows(middle)?,
        };
        // Other threads, with other queues, will use them.
        device.cuda_stream().synchronize().w()?;
        Ok(buffers)
    }
}

/// Ids and tiles on their way to the device, and states on their way to the host, in memory that the device copies from and
/// to by itself.
pub struct Transfer<T> {
    ids: PinnedHostSlice<u32>,
    tiles: PinnedHostSlice<i32>,
    states: PinnedHostSlice<T>,
    /// The states have arrived.
    done: CudaEvent,
}

impl<T: Half> Transfer<T> {
    pub fn new(device: &CudaDevice, hidden: usize) -> Result<Self> {
        Ok(Self {
            ids: pinned(device, SLAB)?,
            tiles: pinned(device, MAX_TILES)?,
            states: pinned(device, SLAB * hidden)?,
            done: device.cuda_stream().context().new_event(None).w()?,
        })
    }

    /// Puts the copies of a slab's ids and tiles into the queue; gives the number of tiles. What this transfer carried before
    /// has been read.
    pub fn send(
        &mut self,
        device: &CudaDevice,
        ids: &[u32],
        cumulative_lengths: &[usize],
        to: &mut Buffers<T>,
    ) -> Result<usize> {
        let tiles = tiles(cumulative_lengths);
        let host_ids = self.ids.as_mut_slice().w()?;
        // Rows that fill the slab up read nothing and nobody reads them; what stands there is of a slab before.
        host_ids[..ids.len()].copy_from_slice(ids);
        host_ids[ids.len()..].fill(0);
        self.tiles.as_mut_slice().w()?[..tiles.len()].copy_from_slice(&tiles);
        device.memcpy_htod(&self.ids, &mut to.ids)?;
        device.memcpy_htod(&self.tiles, &mut to.tiles)?;
        Ok(tiles.len() / 4)
    }

    /// Puts the copy of a slab's states into the queue.
    pub fn bring(&mut self, device: &CudaDevice, from: &Buffers<T>) -> Result<()> {
        device.memcpy_dtoh(&from.x, &mut self.states)?;
        self.done.record(&device.cuda_stream()).w()
    }

    /// Waits for the states, and turns them into f32. By threads of its own: one of Rayon's, waiting for others, could begin
    /// another batch and wait for the buffers that this one holds.
    pub fn read(&self, out: &mut [f32]) -> Result<()> {
        self.done.synchronize().w()?;
        let states = &self.states.as_slice().w()?[..out.len()];
        let part = out.len().div_ceil(READERS).max(CONVERTED);
        std::thread::scope(|scope| {
            for (out, states) in out.chunks_mut(part).zip(states.chunks(part)) {
                scope.spawn(move || T::to_f32(states, out));
            }
        });
        Ok(())
    }
}

fn pinned<T: DeviceRepr + ValidAsZeroBits>(
    device: &CudaDevice,
    length: usize,
) -> Result<PinnedHostSlice<T>> {
    let context = device.cuda_stream().context().clone();
    // Not write-combined, as would be the default: the host reads it.
    // SAFETY: any bytes are numbers, and it is read only where the host or the device has written.
    unsafe { context.alloc_pinned_with_flags::<T>(length, 0) }.w()
}
