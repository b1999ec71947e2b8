//! What is known from outside the plan: the inventory, measured facts, capabilities of engines,
//! and which copies exist. Plain data and pure readers; files are opened by the surface.

pub mod blocks;
pub mod capability;
pub mod facts_file;
pub mod holdings;
pub mod instance;
pub mod inventory;
pub mod known;
pub mod refined;
pub mod sizes;
pub mod spoilt;
pub mod written;
