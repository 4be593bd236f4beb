"""What makes the sound, behind a small seam: the real model, and a stand-in that needs neither weights nor a card."""
